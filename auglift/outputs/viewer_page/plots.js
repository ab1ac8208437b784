// Joint angles of the chosen person over the whole clip, under a cursor that moves with the time.

const TICKS_DEG = [5, 10, 15, 30, 45, 60, 90, 180];
const MARGIN_LEFT = 36;
const HALF_TURN = 180;

class Plots {
  constructor(section, clip, playback) {
    Object.assign(this, { clip, playback, person: null });
    this.plots = [...grouped(clip.angles)].map(([title, lines]) => this.build(section, title, lines));
  }

  build(section, title, lines) {
    const figure = section.appendChild(element('figure', 'plot'));
    const caption = figure.appendChild(element('figcaption', ''));
    caption.appendChild(element('b', '', title));
    for (const line of lines) line.value = caption.appendChild(element('span', line.side));
    const area = figure.appendChild(element('div', 'area'));
    const canvas = area.appendChild(document.createElement('canvas'));
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', `${title} over time, degrees`);
    const cursor = area.appendChild(element('div', 'cursor'));
    const seek = (event) => this.seek(area, event);
    area.addEventListener('pointerdown', seek);
    area.addEventListener('pointermove', (event) => event.buttons && seek(event));
    return { lines, area, canvas, cursor };
  }

  seek(area, event) {
    const box = area.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN_LEFT) / (box.width - MARGIN_LEFT);
    const start = this.clip.times[0];
    this.playback.pause();
    this.playback.seek(start + share * (this.playback.endS - start));
  }

  /** Draw a person's curves; they stay until the next call. */
  show(person) {
    this.person = person;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    this.colours = {
      left: colour('left'), right: colour('right'), middle: colour('ink'),
      line: colour('line'), quiet: colour('quiet'),
    };
    for (const plot of this.plots) this.drawCurves(plot);
  }

  drawCurves(plot) {
    const { context, width, height } = fitted(plot.canvas);
    const { lines } = plot;
    plot.width = width; // asking for it in every frame would lay the page out anew
    context.clearRect(0, 0, width, height);
    const [low, high, step] = this.range(lines);
    const y = (value) => 5 + ((high - value) / (high - low)) * (height - 10);
    context.font = '11px system-ui, sans-serif';
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    context.fillStyle = this.colours.quiet;
    context.strokeStyle = this.colours.line;
    context.lineWidth = 1;
    for (let tick = low; tick <= high; tick += step) {
      context.fillText(`${tick}°`, MARGIN_LEFT - 5, Math.min(Math.max(y(tick), 6), height - 6));
      context.beginPath();
      context.moveTo(MARGIN_LEFT, y(tick));
      context.lineTo(width, y(tick));
      context.stroke();
    }
    context.lineWidth = 1.6;
    for (const line of lines) this.drawCurve(context, line, (i) => this.x(i, width), y);
  }

  drawCurve(context, line, x, y) {
    context.strokeStyle = this.colours[line.side];
    context.beginPath();
    let before = null;
    for (let row = 0; row < this.person.n; row++) {
      const value = this.valueAt(line, row);
      if (value !== null) {
        const at = x(this.person.first + row);
        // An angle that passes 180° goes on at −180°: there is no line between the two.
        const goesOn = before !== null && Math.abs(value - before) < HALF_TURN;
        if (goesOn) context.lineTo(at, y(value));
        else context.moveTo(at, y(value));
      }
      before = value;
    }
    context.stroke();
  }

  valueAt(line, row) {
    const value = this.person.angles[line.channel * this.person.n + row];
    return value === MISSING ? null : value * this.clip.unit_deg;
  }

  /** Low and high end of the scale, and the step of its two to four lines. */
  range(lines) {
    let [low, high] = [Infinity, -Infinity];
    for (const line of lines) {
      for (let row = 0; row < this.person.n; row++) {
        const value = this.valueAt(line, row);
        if (value === null) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high) return [0, 90, 45];
    const step = TICKS_DEG.find((tick) => high - low <= 2.5 * tick) ?? 180;
    const [first, last] = [step * Math.floor(low / step), step * Math.ceil(high / step)];
    return [first, Math.max(last, first + step), step];
  }

  x(iFrame, width) {
    const start = this.clip.times[0];
    const share = (this.clip.times[iFrame] - start) / (this.playback.endS - start || 1);
    return MARGIN_LEFT + share * (width - MARGIN_LEFT);
  }

  /** Move the cursor and the numbers. */
  at(iFrame) {
    if (!this.person) return;
    const row = rowOf(this.person, iFrame);
    for (const { lines, width, cursor } of this.plots) {
      cursor.style.transform = `translateX(${this.x(iFrame, width)}px)`;
      for (const line of lines) {
        const value = row < 0 ? null : this.valueAt(line, row);
        const words = `${line.letter}${value === null ? '–' : `${Math.round(value)}°`}`;
        if (line.value.textContent !== words) line.value.textContent = words;
      }
    }
  }
}

/** Names → title → lines: left_knee_flexion and right_knee_flexion share “Knee flexion”. */
function grouped(names) {
  const groups = new Map();
  names.forEach((name, channel) => {
    const side = sideOf(name);
    const plain = name.replace(/^(left|right)_/, '').replaceAll('_', ' ');
    const title = plain.charAt(0).toUpperCase() + plain.slice(1);
    const letter = { left: 'L ', right: 'R ', middle: '' }[side];
    groups.set(title, [...(groups.get(title) ?? []), { side, channel, letter }]);
  });
  return groups;
}

function element(tag, className, text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
