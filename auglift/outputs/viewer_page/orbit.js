// The eye that looks at the scene: it circles a point, and pointers turn, move and zoom it.

const NEAR_M = 0.1;
const FIELD_OF_VIEW = 0.7; // radians, of the shorter side

class Orbit {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.target = [0, 0.9, 0];
    this.distance = 5;
    this.azimuth = 0.5; // 0 looks along the camera, growing to the right
    this.elevation = 0.25;
    this.pointers = new Map();
    canvas.addEventListener('pointerdown', (event) => this.press(event));
    canvas.addEventListener('pointermove', (event) => this.drag(event));
    for (const name of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
    canvas.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  }

  turn(azimuth, elevation) {
    this.azimuth += azimuth;
    this.elevation = Math.min(Math.max(this.elevation + elevation, -0.2), Math.PI / 2);
    this.changed();
  }

  zoom(factor) {
    this.distance = Math.min(Math.max(this.distance * factor, 0.5), 500);
    this.changed();
  }

  /** Move the point that is looked at by CSS pixels of the screen. */
  move(dx, dy) {
    const { right, up, focal } = this.basis();
    const scale = this.distance / focal;
    for (let i = 0; i < 3; i++) this.target[i] += (up[i] * dy - right[i] * dx) * scale;
    this.changed();
  }

  look(azimuth, elevation) {
    this.azimuth = azimuth;
    this.elevation = elevation;
    this.changed();
  }

  /** Show a box (low and high corners, metres) whole. */
  fit(low, high) {
    this.target = low.map((value, i) => (value + high[i]) / 2);
    const halves = low.map((value, i) => (high[i] - value) / 2);
    const { right, up, forward } = this.basis();
    const reach = (axis) => axis.reduce((sum, part, i) => sum + Math.abs(part) * halves[i], 0);
    const { clientWidth, clientHeight } = this.canvas;
    const tangent = Math.tan(FIELD_OF_VIEW / 2);
    const shorter = Math.min(clientWidth, clientHeight) || 1;
    const wide = (reach(right) / tangent) * (shorter / (clientWidth || 1));
    // The buttons and the words below cover a part of the height.
    const tall = (reach(up) / tangent) * (shorter / Math.max(clientHeight - 70, 60));
    this.distance = Math.max(0.92 * Math.max(wide, tall) + reach(forward), 1);
    this.changed();
  }

  /** Where the eye is, its axes in the world, and its focal length in CSS pixels. */
  basis() {
    const [sinA, cosA] = [Math.sin(this.azimuth), Math.cos(this.azimuth)];
    const [sinE, cosE] = [Math.sin(this.elevation), Math.cos(this.elevation)];
    const back = [sinA * cosE, sinE, cosA * cosE];
    const shorter = Math.min(this.canvas.clientWidth, this.canvas.clientHeight);
    return {
      eye: back.map((part, i) => this.target[i] + part * this.distance),
      right: [cosA, 0, -sinA],
      up: [-sinA * sinE, cosE, -cosA * sinE],
      forward: back.map((part) => -part),
      focal: shorter / 2 / Math.tan(FIELD_OF_VIEW / 2),
    };
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    const spread = this.spread();
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size > 1) {
      this.move(dx / this.pointers.size, dy / this.pointers.size);
      this.zoom(spread / Math.max(this.spread(), 1));
    } else if (event.shiftKey || event.buttons & 6) {
      this.move(dx, dy);
    } else {
      this.turn(-dx * 0.008, dy * 0.008);
    }
  }

  /** How far the first two pointers are apart. */
  spread() {
    if (this.pointers.size < 2) return 1;
    const [a, b] = this.pointers.values();
    return Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
  }

  wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(Math.min(Math.max(event.deltaY, -100), 100) * 0.002));
  }
}
