// The clip's time: playing, stepping, speed. Where there is a film it keeps the time while playing.

const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 4];

class Playback {
  constructor(times, endS, film) {
    this.times = times;
    this.endS = endS;
    this.film = film;
    this.timeS = times[0];
    this.playing = false;
    this.speed = 1;
    this.changed = () => {};
  }

  get iFrame() {
    return frameAt(this.times, this.timeS);
  }

  get video() {
    return this.film.video; // null without one, or where the browser cannot play it
  }

  seek(timeS) {
    this.timeS = Math.min(Math.max(timeS, this.times[0]), this.times[this.times.length - 1]);
    if (this.video) this.video.currentTime = this.insideFrame();
    this.changed();
  }

  step(nFrames) {
    this.pause();
    const last = this.times.length - 1;
    this.seek(this.times[Math.min(Math.max(this.iFrame + nFrames, 0), last)]);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.iFrame === this.times.length - 1) this.seek(this.times[0]);
    this.playing = true;
    this.video?.play().catch(() => this.pause());
    this.changed();
  }

  pause() {
    this.playing = false;
    this.video?.pause();
    this.changed();
  }

  setSpeed(speed) {
    this.speed = speed;
    if (this.video) this.video.playbackRate = speed;
    this.changed();
  }

  faster(nSteps) {
    const wanted = SPEEDS.indexOf(this.speed) + nSteps;
    this.setSpeed(SPEEDS[Math.min(Math.max(wanted, 0), SPEEDS.length - 1)]);
  }

  /** Let `elapsedS` of real time pass. */
  advance(elapsedS) {
    if (!this.playing) return;
    const running = this.video && !this.video.ended;
    this.timeS = running ? this.video.currentTime : this.timeS + elapsedS * this.speed;
    if (this.timeS >= this.endS || this.video?.ended) {
      this.timeS = this.times[this.times.length - 1];
      this.pause();
    }
  }

  /** A time well inside the shown frame: at its very edge a browser may show the one before. */
  insideFrame() {
    const i = this.iFrame;
    const next = i + 1 < this.times.length ? this.times[i + 1] : this.endS;
    return Math.max(this.timeS, this.times[i] + Math.min((next - this.times[i]) / 2, 0.005));
  }
}
