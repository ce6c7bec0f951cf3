/* Runs in the browser: the line above GraphiQL, with a list of examples and a form to sign in. */
(() => {
  const make = (tag, props, ...children) => {
    const element = Object.assign(document.createElement(tag), props);
    element.append(...children);
    return element;
  };

  const bar = make('div', { id: 'toolbar' });
  if (guide.examples.length > 0) {
    const list = make('select', { ariaLabel: 'Examples' }, make('option', { textContent: 'Examples', value: '' }));
    for (const { title, query } of guide.examples) list.append(make('option', { textContent: title, value: query }));
    list.onchange = () => list.value && location.assign(`${endpoint}?query=${encodeURIComponent(list.value)}`);
    bar.append(list);
  }
  if (guide.signIn) bar.append(session());
  document.body.prepend(bar);

  function session() {
    const place = make('span', { id: 'session' });
    const name = playground.name();
    if (name) {
      const leave = make('button', { textContent: 'Sign out', onclick: () => (playground.signOut(), place.replaceWith(session())) });
      place.append(`Signed in as ${name} `, leave);
      return place;
    }
    const people = make('datalist', { id: 'people' });
    for (const person of guide.signIn.people) people.append(make('option', { value: person.name, textContent: person.title }));
    const account = make('input', { placeholder: 'E-mail', name: 'username', autocomplete: 'username', required: true });
    account.setAttribute('list', 'people');
    const password = make('input', { type: 'password', placeholder: 'Password', autocomplete: 'current-password', required: true });
    account.oninput = () => {
      const person = guide.signIn.people.find((each) => each.name === account.value);
      if (person) password.value = person.password;
    };
    const said = make('span', { className: 'said' });
    const form = make('form', {}, account, people, password, make('button', { textContent: 'Sign in' }), said);
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        await playground.signIn(account.value, password.value);
        place.replaceWith(session());
      } catch (error) {
        said.textContent = ` ${error.message}`;
      }
    };
    place.append(form);
    return place;
  }
})();
