/* Runs in the browser: what a link of a mail is for, its token, and a button that runs the operation. `link` is a constant of the page. */
(() => {
  const token = new URLSearchParams(location.search).get('token') ?? '';
  const place = (id) => document.getElementById(id);
  place('token').textContent = token || 'There is no token in this link.';
  place('query').textContent = link.query;
  const form = place('run');
  const field = (name, label, type = 'text') => {
    const input = Object.assign(document.createElement('input'), { name, type, required: true, autocomplete: 'off' });
    const row = document.createElement('label');
    row.append(`${label} `, input);
    form.prepend(row);
  };
  for (const [name, label] of Object.entries(link.inputs)) field(name, label, /password/i.test(name) ? 'password' : 'text');
  if (link.needsSignIn && !playground.name()) {
    field('password', 'Password', 'password');
    field('name', 'Sign in with e-mail');
  }
  form.onsubmit = async (event) => {
    event.preventDefault();
    const { name, password, ...variables } = Object.fromEntries(new FormData(form));
    try {
      if (name) await playground.signIn(name, password);
      place('answer').textContent = JSON.stringify(await playground.run(link.query, { ...variables, token }), null, 2);
    } catch (error) {
      place('answer').textContent = error.message;
    }
  };
})();
