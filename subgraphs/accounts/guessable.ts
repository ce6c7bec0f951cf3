/**
 * Words that passwords are made of most often (the lists of the best known leaks agree on them), in small letters: with a year or some signs
 * they are what guessers try first. Then words of this house and of its country.
 */
const WORDS = new Set(
  `password passwort passord pass passwd parola senha secret secreto login logon admin administrator root user username guest test tester
  testing welcome hello letmein access master default change changeme trustno shadow account office company computer internet network server
  system windows google facebook samsung nokia android iphone apple microsoft linux amazon twitter youtube instagram whatsapp yahoo gmail
  qwerty qwertz azerty qwertyuiop asdf asdfgh asdfghjkl zxcv zxcvbn zxcvbnm qazwsx qaz wsx edc rfv qweasd qweasdzxc abc abcd abcde abcdef
  love lovely lover iloveyou loveyou loveme forever baby babygirl angel princess prince queen king star sunshine flower butterfly rainbow
  happy smile friend friends family mother father mama papa mummy daddy sister brother honey sweet sweety cookie chocolate cheese pepper
  ginger banana orange apple cherry lemon strawberry coffee money dollar cash rich lucky winner success freedom peace hope faith grace
  god jesus christ jesuschrist lord bless blessed blessing amen church bible angel heaven mary joseph david daniel michael john peter paul
  james robert thomas william george charlie charles andrew anthony matthew joshua jordan justin jennifer jessica michelle nicole ashley
  amanda melissa sarah anna maria elizabeth victoria patrick martin richard steven kevin brian alex alexander sandra linda susan
  dragon monkey tiger lion eagle wolf horse dog puppy cat kitty snoopy panda bear rabbit dolphin phoenix falcon hunter killer ninja
  superman batman spiderman pokemon naruto starwars matrix soldier warrior ranger legend hero rocky maverick thunder storm fire water
  football soccer baseball basketball hockey tennis golf liverpool chelsea arsenal manchester united barcelona madrid juventus
  red blue green yellow black white silver gold golden purple pink orange music guitar rock metal dance party summer winter spring autumn
  monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november
  december today night morning world earth moon sun sky heart dream magic power super cool good best big my the for you your our new old
  one two three four five first number mobile phone house home school student teacher doctor driver london paris berlin tokyo america africa
  soko market marketplace shop store demo buyer seller vendor order zambia lusaka ndola kitwe kabwe livingstone zambezi kwacha nshima japan`.split(
    /\s+/,
  ),
);

const LEET: Readonly<Record<string, string>> = { '0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's', '!': 'i' };
/** Rows and walks that fingers take, both ways. */
const WALKS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890123456789',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  '1q2w3e4r5t6y7u8i9o0p',
  '1qaz2wsx3edc4rfv5tgb6yhn',
];
const BOTH_WAYS = WALKS.flatMap((walk) => [walk, Array.from(walk).reverse().join('')]);

/** Three words make a phrase, and take a guesser years. */
const MAX_WORDS = 2;
/** Digits behind a word are a year, a day or a row; longer numbers are hard enough in themselves. */
const MAX_DIGITS = 6;
const MIN_OWN_LENGTH = 3;
const MAX_UNIT_LENGTH = 4;

/** What a guesser tries first: at most two words that everybody or this person uses, with a few digits and signs; a walk; a repeated unit. */
export function isGuessable(small: string, own: readonly string[]): boolean {
  const bare = small.replaceAll(/[^\p{L}\p{N}]/gu, '');
  const isMostOfIt = bare.length > small.length / 2;
  if (isMostOfIt && (isRepeated(bare) || BOTH_WAYS.some((walk) => walk.includes(bare)))) return true;
  const mine = new Set(own.filter((word) => word.length >= MIN_OWN_LENGTH).map((word) => word.replaceAll(/[^\p{L}\p{N}]/gu, '')));
  const isWord = (word: string): boolean => WORDS.has(word) || mine.has(word);
  if (isWord(bare)) return true;
  // Digits within a word stand for letters, those around it for a year.
  const spelt = small.replace(/\p{L}.*\p{L}/u, (word) => Array.from(word, (sign) => LEET[sign] ?? sign).join(''));
  return [small, spelt].some((text) => isMadeOfWords(text, isWord));
}

/** What is left of the letters when digits and signs are taken away falls into words. */
function isMadeOfWords(text: string, isWord: (word: string) => boolean): boolean {
  const digits = text.replaceAll(/\D/g, '');
  const letters = text.replaceAll(/[^\p{L}]/gu, '');
  return letters !== '' && digits.length <= MAX_DIGITS && fallsInto(letters, isWord, MAX_WORDS);
}

function fallsInto(letters: string, isWord: (word: string) => boolean, most: number): boolean {
  if (isWord(letters)) return true;
  if (most === 1) return false;
  for (let at = 1; at < letters.length; at += 1)
    if (isWord(letters.slice(0, at)) && fallsInto(letters.slice(at), isWord, most - 1)) return true;
  return false;
}

/** `abcabcabc`, `20262026`. */
function isRepeated(text: string): boolean {
  for (let unit = 1; unit <= MAX_UNIT_LENGTH; unit += 1)
    if (
      text ===
      text
        .slice(0, unit)
        .repeat(Math.ceil(text.length / unit))
        .slice(0, text.length)
    )
      return true;
  return false;
}
