// The pictures: a film, or stills with their times, or nothing; and the 2D skeletons over them.

// On pictures of any brightness, in both themes.
const OVER_PICTURES = { left: '#009eff', right: '#ff8c00', middle: '#c8c8c8' };

class Film {
  constructor(figure, clip) {
    Object.assign(this, { figure, clip, video: null, image: null, stills: [], iStill: -1 });
    this.bones = clip.bones.map(([parent, child]) => ({
      parent, child, colour: OVER_PICTURES[sideOf(clip.joints[child])],
    }));
    this.canvas = figure.querySelector('canvas');
    this.notice = figure.querySelector('p');
    const [width, height] = clip.image_wh;
    figure.style.aspectRatio = `${width} / ${height}`;
    if (clip.film.kind === 'video') this.openVideo();
    if (clip.film.kind === 'stills') this.openStills();
    if (clip.film.kind === 'none') this.say('no pictures in this file');
  }

  openVideo() {
    const video = document.createElement('video');
    video.muted = true;
    video.playsInline = true;
    video.preload = 'auto';
    video.tabIndex = -1;
    video.addEventListener('error', () => this.failed());
    video.src = URL.createObjectURL(new Blob([bytesOf(textOf('film'))], { type: 'video/mp4' }));
    this.figure.prepend(video);
    this.video = video;
  }

  failed() {
    this.video.remove();
    this.video = null; // from here on Playback keeps the time itself
    this.say('this browser cannot play the film (H.264)');
  }

  openStills() {
    this.stills = JSON.parse(textOf('film'));
    this.image = document.createElement('img');
    this.image.alt = '';
    this.figure.prepend(this.image);
  }

  say(words) {
    this.notice.textContent = words;
    this.notice.hidden = false;
  }

  draw(iFrame) {
    if (this.image) this.showStill(this.clip.times[iFrame]);
    const { context, width, height } = fitted(this.canvas);
    context.clearRect(0, 0, width, height);
    context.lineCap = 'round';
    const [wide, tall] = this.clip.image_wh;
    const scale = Math.min(width / wide, height / tall);
    const shift = [(width - wide * scale) / 2, (height - tall * scale) / 2];
    for (const person of this.clip.people) {
      const row = iFrame - person.first;
      if (person.shown && row >= 0 && row < person.n) {
        this.drawPerson(context, person, row, scale, shift);
      }
    }
    context.globalAlpha = 1;
  }

  showStill(timeS) {
    const iStill = frameAt(this.clip.film.times, timeS);
    if (iStill === this.iStill) return;
    this.iStill = iStill;
    this.image.src = `data:image/jpeg;base64,${this.stills[iStill]}`;
  }

  drawPerson(context, person, row, scale, shift) {
    context.lineWidth = Math.max(2, this.figure.clientHeight / 180);
    const spots = this.clip.joints.map((_, joint) => this.spot(person, row, joint));
    for (const bone of this.bones) {
      const [a, b] = [spots[bone.parent], spots[bone.child]];
      if (!a || !b) continue;
      context.globalAlpha = opacity(person, row, bone);
      context.strokeStyle = bone.colour;
      context.beginPath();
      context.moveTo(a[0] * scale + shift[0], a[1] * scale + shift[1]);
      context.lineTo(b[0] * scale + shift[0], b[1] * scale + shift[1]);
      context.stroke();
    }
    context.globalAlpha = 1;
    if (this.clip.people.length < 2) return;
    const top = spots.reduce((best, s) => (s && (!best || s[1] < best[1]) ? s : best), null);
    if (top) drawTag(context, person, top[0] * scale + shift[0], top[1] * scale + shift[1] - 16);
  }

  /** A joint in source pixels from the picture's corner; null where it is not known. */
  spot(person, row, joint) {
    const at = 2 * joint * person.n + row;
    const x = person.joints2d[at];
    const y = person.joints2d[at + person.n];
    const { unit_px: unit } = this.clip;
    // Pixel centres have whole coordinates; the corner is half a pixel before the first.
    return x === MISSING || y === MISSING ? null : [x * unit + 0.5, y * unit + 0.5];
  }
}
