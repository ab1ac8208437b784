// The viewer: what is on the page, and how it hangs together.

class Viewer {
  constructor(clip) {
    this.clip = clip;
    this.film = new Film(byId('picture'), clip);
    this.playback = new Playback(clip.times, clip.end_s, this.film);
    this.orbit = new Orbit(byId('space'), () => this.refresh());
    this.scene = new Scene(byId('space'), clip, this.orbit);
    this.plots = new Plots(byId('plots'), clip, this.playback);
    this.chosen = 0;
    this.following = false;
    this.waiting = false;
    this.playback.changed = () => this.refresh();
    byId('placing').textContent = clip.placing;
    byId('scrubber').max = String(clip.times.length - 1);
    wireControls(this);
    if (clip.people.length) this.choose(0);
    new ResizeObserver(() => this.resized()).observe(byId('stage'));
  }

  /** Draw at the next chance, once, whatever has changed until then. */
  refresh() {
    if (this.waiting) return;
    this.waiting = true;
    this.askedMs = performance.now();
    requestAnimationFrame((nowMs) => {
      this.waiting = false;
      this.playback.advance(Math.max(nowMs - this.askedMs, 0) / 1000);
      this.draw();
      if (this.playback.playing) this.refresh();
    });
  }

  draw() {
    const iFrame = this.playback.iFrame;
    if (this.following) this.keepUp(iFrame);
    this.scene.draw(iFrame);
    this.film.draw(iFrame);
    this.plots.at(iFrame);
    this.showState(iFrame);
  }

  showState(iFrame) {
    const { playing, speed, times } = this.playback;
    const seconds = (value) => value.toFixed(2);
    const frame = this.clip.frames[iFrame];
    byId('seconds').textContent = `${seconds(times[iFrame])} / ${seconds(this.playback.endS)} s`;
    byId('frame').textContent = `frame ${frame}`;
    const scrubber = byId('scrubber');
    scrubber.value = String(iFrame);
    scrubber.setAttribute('aria-valuetext', `frame ${frame}, ${seconds(times[iFrame])} seconds`);
    byId('speed').value = String(speed);
    const play = byId('play');
    if (play.classList.toggle('playing', playing) !== (play.ariaLabel === 'Pause')) {
      play.ariaLabel = playing ? 'Pause' : 'Play';
    }
  }

  skip(direction, bySecond) {
    if (!bySecond) {
      this.playback.step(direction);
      return;
    }
    this.playback.pause();
    this.playback.seek(this.playback.timeS + direction);
  }

  showPerson(person, shown) {
    person.shown = shown;
    person.box.checked = shown;
    person.chip.classList.toggle('hidden', !shown);
    this.refresh();
  }

  /** Show this person's angles, and follow him if anybody is followed. */
  choose(index) {
    const person = this.clip.people[index];
    if (!person) return;
    this.chosen = index;
    byId('chosen').value = String(index);
    for (const other of this.clip.people) other.chip.classList.toggle('chosen', other === person);
    this.plots.show(person);
    this.refresh();
  }

  follow(following) {
    this.following = following;
    byId('follow').setAttribute('aria-pressed', String(following));
    this.look('fit');
  }

  keepUp(iFrame) {
    const person = this.clip.people[this.chosen];
    const row = person ? rowOf(person, iFrame) : -1;
    if (row < 0) return;
    const [x, , z] = this.scene.place(person, row, this.clip.root);
    [this.orbit.target[0], this.orbit.target[2]] = [x, z];
  }

  look(view) {
    const iFrame = this.playback.iFrame;
    const [first, last] = this.following ? [iFrame, iFrame] : [0, this.clip.times.length - 1];
    const box = this.scene.extent(first, last) ?? [[-1, 0, -1], [1, 1.8, 1]];
    if (view === 'side') this.orbit.look(Math.PI / 2, 0.12);
    if (view === 'top') this.orbit.look(0, Math.PI / 2);
    if (view === 'camera') this.orbit.look(...this.cameraDirection(box));
    this.orbit.fit(...box);
  }

  /** Azimuth and elevation of the camera as seen from the middle of the box. */
  cameraDirection([low, high]) {
    if (!this.clip.camera) return [0, 0];
    const [x, y, z] = this.clip.camera.at.map((value, i) => value - (low[i] + high[i]) / 2);
    return [Math.atan2(x, z), Math.atan2(y, Math.hypot(x, z))];
  }

  /** Not a new view for a new height alone: phones change it whenever their bars come and go. */
  resized() {
    const width = byId('space').clientWidth;
    if (width !== this.width) this.look('fit');
    this.width = width;
    this.redraw();
  }

  recolour() {
    this.scene.recolour();
    this.redraw();
  }

  redraw() {
    if (this.clip.people.length) this.plots.show(this.clip.people[this.chosen]);
    this.drawPresence();
    this.refresh();
  }

  /** Who is there when: one line per person above the scrubber. */
  drawPresence() {
    const strip = byId('presence');
    strip.style.height = `${Math.min(Math.max(3 * this.clip.people.length, 6), 40)}px`;
    const { context, width, height } = fitted(strip);
    context.clearRect(0, 0, width, height);
    const nFrames = this.clip.times.length;
    const line = height / Math.max(this.clip.people.length, 1);
    const x = (iFrame) => (iFrame / Math.max(nFrames - 1, 1)) * width;
    this.clip.people.forEach((person, i) => {
      context.fillStyle = person.colour;
      let begin = -1;
      for (let iFrame = 0; iFrame <= nFrames; iFrame++) {
        const here = iFrame < nFrames && rowOf(person, iFrame) >= 0;
        if (here && begin < 0) begin = iFrame;
        if (!here && begin >= 0) {
          context.fillRect(x(begin), i * line, Math.max(x(iFrame - 1) - x(begin), 1), line * 0.8);
          begin = -1;
        }
      }
    });
  }
}

// For the console and for scripts: auglift.playback.seek(2.5), auglift.clip.people …
window.auglift = new Viewer(await readClip());
