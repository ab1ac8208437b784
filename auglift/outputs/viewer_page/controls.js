// Buttons, chips, lists and keys. Every control works by mouse, touch and keyboard.

// From here on the chips hold names alone.
const MANY = 6;

const byId = (id) => document.getElementById(id);

/** Wire the page to `viewer` (main.js), which knows what can be done. */
function wireControls(viewer) {
  const { playback } = viewer;
  byId('play').addEventListener('click', () => playback.toggle());
  byId('back').addEventListener('click', () => playback.step(-1));
  byId('on').addEventListener('click', () => playback.step(1));
  byId('theme').addEventListener('click', () => toggleTheme(viewer));
  byId('help').addEventListener('click', toggleKeys);
  byId('follow').addEventListener('click', () => viewer.follow(!viewer.following));
  for (const button of document.querySelectorAll('[data-view]')) {
    button.addEventListener('click', () => viewer.look(button.dataset.view));
  }
  byId('scrubber').addEventListener('input', (event) => {
    playback.pause();
    playback.seek(playback.times[Number(event.target.value)]);
  });
  for (const speed of SPEEDS) byId('speed').append(new Option(`${speed}×`, String(speed)));
  byId('speed').addEventListener('change', (e) => playback.setSpeed(Number(e.target.value)));
  buildPeople(viewer);
  document.addEventListener('keydown', (event) => pressed(viewer, event));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => viewer.recolour());
}

function buildPeople(viewer) {
  byId('people').hidden = viewer.clip.people.length === 0;
  for (const person of viewer.clip.people) {
    const chip = byId('chips').appendChild(element('label', 'chip'));
    person.box = chip.appendChild(document.createElement('input'));
    person.box.type = 'checkbox';
    person.box.checked = true;
    person.box.addEventListener('change', () => viewer.showPerson(person, person.box.checked));
    chip.appendChild(element('i', '')).style.setProperty('--swatch', person.colour);
    chip.append(viewer.clip.people.length > MANY ? person.name : `Person ${person.name}`);
    person.box.ariaLabel = `Show person ${person.name}`;
    person.chip = chip;
    byId('chosen').append(new Option(`Person ${person.name}`, String(person.index)));
  }
  byId('chosen').addEventListener('change', (event) => viewer.choose(Number(event.target.value)));
}

/** What each key does; people by their digit apart. */
const KEYS = {
  ' ': (viewer) => viewer.playback.toggle(),
  ArrowLeft: (viewer, event) => viewer.skip(-1, event.shiftKey),
  ArrowRight: (viewer, event) => viewer.skip(1, event.shiftKey),
  Home: (viewer) => viewer.playback.step(-Infinity),
  End: (viewer) => viewer.playback.step(Infinity),
  '[': (viewer) => viewer.playback.faster(-1),
  ']': (viewer) => viewer.playback.faster(1),
  0: (viewer) => viewer.clip.people.forEach((person) => viewer.showPerson(person, true)),
  n: (viewer) => viewer.choose((viewer.chosen + 1) % viewer.clip.people.length),
  f: (viewer) => viewer.look('fit'),
  c: (viewer) => viewer.look('camera'),
  x: (viewer) => viewer.look('side'),
  t: (viewer) => viewer.look('top'),
  g: (viewer) => viewer.follow(!viewer.following),
  a: (viewer) => viewer.orbit.turn(-0.1, 0),
  d: (viewer) => viewer.orbit.turn(0.1, 0),
  w: (viewer) => viewer.orbit.turn(0, 0.1),
  s: (viewer) => viewer.orbit.turn(0, -0.1),
  '+': (viewer) => viewer.orbit.zoom(0.9),
  '=': (viewer) => viewer.orbit.zoom(0.9),
  '-': (viewer) => viewer.orbit.zoom(1 / 0.9),
  l: (viewer) => toggleTheme(viewer),
  '?': () => toggleKeys(),
  Escape: () => byId('keys').hidden || toggleKeys(),
};

function pressed(viewer, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { tagName } = event.target;
  if (tagName === 'SELECT') return;
  // Space presses the button or ticks the box that has the focus.
  if (event.key === ' ' && (tagName === 'BUTTON' || event.target.type === 'checkbox')) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const person = /^[1-9]$/.test(key) ? viewer.clip.people[Number(key) - 1] : null;
  if (person) viewer.showPerson(person, !person.shown);
  else if (Object.hasOwn(KEYS, key)) KEYS[key](viewer, event);
  else return;
  event.preventDefault();
}

function toggleTheme(viewer) {
  const root = document.documentElement;
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  const now = root.dataset.theme ?? (isDark ? 'dark' : 'light');
  root.dataset.theme = now === 'dark' ? 'light' : 'dark';
  viewer.recolour();
}

function toggleKeys() {
  const keys = byId('keys');
  keys.hidden = !keys.hidden;
  byId('help').setAttribute('aria-expanded', String(!keys.hidden));
}
