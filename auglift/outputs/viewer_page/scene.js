// The 3D scene on a 2D canvas: ground, shadows, everybody's bones from far to near, name tags.
// World axes: metres, x right, y up, z towards the camera; the ground is y = 0.

// Bones as thick as a fifth of a usual bone of the set, so that fingers are thinner than legs.
const THICKNESS = 0.2;
const THINNEST_M = 0.008;
const THICKEST_M = 0.055;
const HEADS = new Set(['head', 'head_top']);
const HEAD_TIMES = 1.7;
const MOST_LINES = 60;
const EDGE = 0.25;

class Scene {
  constructor(canvas, clip, orbit) {
    Object.assign(this, { canvas, clip, orbit });
    const nPoints = clip.people.length * clip.joints.length;
    // Where everybody's joints are on the canvas, and the spots of the ground below them.
    for (const name of ['x', 'y', 'depth', 'xBelow', 'yBelow', 'depthBelow']) {
      this[name] = new Float32Array(nPoints);
    }
    this.bones = clip.bones.map(([parent, child]) => ({
      parent, child, side: sideOf(clip.joints[child]),
      times: HEADS.has(clip.joints[child]) ? HEAD_TIMES : 1,
    }));
    this.items = Array.from({ length: clip.people.length * this.bones.length }, () => ({}));
    for (const person of clip.people) person.thickness = this.thickness(person);
    this.recolour();
  }

  recolour() {
    const style = getComputedStyle(document.documentElement);
    const names = ['space', 'grid', 'shadow', 'edge', 'left', 'right', 'middle', 'quiet'];
    this.colours = Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--${n}`)]));
  }

  draw(iFrame) {
    const { context, width, height } = fitted(this.canvas);
    this.view = { ...this.orbit.basis(), middleX: width / 2, middleY: height / 2 - 6, context };
    context.fillStyle = this.colours.space;
    context.fillRect(0, 0, width, height);
    context.lineCap = context.lineJoin = 'round';
    const here = this.clip.people.filter((p) => p.shown && rowOf(p, iFrame) >= 0);
    this.drawGround();
    for (const person of here) this.project(person, iFrame - person.first);
    for (const person of here) this.drawShadow(person);
    if (this.clip.camera) this.drawCamera(this.clip.camera);
    this.drawBones(here, iFrame);
    if (this.clip.people.length > 1) this.drawTags(here);
  }

  /** Low and high corners of the space that shown people pass through; null without any. */
  extent(iFirst, iLast) {
    const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
    const stride = Math.max(1, Math.floor((iLast - iFirst) / 200));
    for (const person of this.clip.people.filter((p) => p.shown)) {
      for (let i = iFirst; i <= iLast; i += stride) {
        const row = rowOf(person, i);
        if (row < 0) continue;
        for (let c = 0; c < 3 * this.clip.joints.length; c++) {
          const value = person.pose[c * person.n + row] * this.clip.unit_m;
          low[c % 3] = Math.min(low[c % 3], value);
          high[c % 3] = Math.max(high[c % 3], value);
        }
      }
    }
    return low[0] > high[0] ? null : [low, high];
  }

  /** A joint's place, in metres. */
  place(person, row, joint) {
    const at = 3 * joint * person.n + row;
    const { n, pose } = person;
    const { unit_m: unit } = this.clip;
    return [pose[at] * unit, pose[at + n] * unit, pose[at + 2 * n] * unit];
  }

  thickness(person) {
    let row = 0;
    while (row < person.n && person.pose[row] === MISSING) row++;
    if (row === person.n) return THICKEST_M;
    const lengths = this.bones.map(({ parent, child }) => {
      const [a, b] = [this.place(person, row, parent), this.place(person, row, child)];
      return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    });
    const usual = lengths.sort((a, b) => a - b)[lengths.length >> 1];
    return Math.min(Math.max(THICKNESS * usual, THINNEST_M), THICKEST_M);
  }

  /** World → depth along the view, and the canvas. */
  toEye(x, y, z) {
    const { eye, right, up, forward } = this.view;
    const [dx, dy, dz] = [x - eye[0], y - eye[1], z - eye[2]];
    return [
      dx * right[0] + dy * right[1] + dz * right[2],
      dx * up[0] + dy * up[1] + dz * up[2],
      dx * forward[0] + dy * forward[1] + dz * forward[2],
    ];
  }

  onCanvas([across, above, depth]) {
    const { focal, middleX, middleY } = this.view;
    return [middleX + (focal * across) / depth, middleY - (focal * above) / depth];
  }

  /** All joints and the spots of the ground below them → the canvas, without making objects. */
  project(person, row) {
    const { eye, right, up, forward, focal, middleX, middleY } = this.view;
    const { unit_m: unit, joints } = this.clip;
    const { n, pose } = person;
    for (let joint = 0; joint < joints.length; joint++) {
      const at = 3 * joint * n + row;
      const dx = pose[at] * unit - eye[0];
      const dy = pose[at + n] * unit - eye[1];
      const dz = pose[at + 2 * n] * unit - eye[2];
      const i = person.index * joints.length + joint;
      const across = dx * right[0] + dz * right[2]; // the eye's right is level
      const [above, depth] = [dx * up[0] + dz * up[2], dx * forward[0] + dz * forward[2]];
      this.depth[i] = depth + dy * forward[1];
      this.x[i] = middleX + (focal * across) / this.depth[i];
      this.y[i] = middleY - (focal * (above + dy * up[1])) / this.depth[i];
      this.depthBelow[i] = depth - eye[1] * forward[1];
      this.xBelow[i] = middleX + (focal * across) / this.depthBelow[i];
      this.yBelow[i] = middleY - (focal * (above - eye[1] * up[1])) / this.depthBelow[i];
    }
  }

  drawBones(people, iFrame) {
    const nJoints = this.clip.joints.length;
    let n = 0;
    for (const person of people) {
      const row = iFrame - person.first;
      for (const bone of this.bones) {
        const a = person.index * nJoints + bone.parent;
        const b = person.index * nJoints + bone.child;
        const near = Math.min(this.depth[a], this.depth[b]);
        if (near < NEAR_M) continue;
        const item = this.items[n++];
        item.a = a;
        item.b = b;
        item.depth = (this.depth[a] + this.depth[b]) / 2;
        item.width = person.thickness * bone.times * this.view.focal / item.depth;
        item.colour = this.colours[bone.side];
        item.alpha = opacity(person, row, bone);
      }
    }
    const order = this.items.slice(0, n).sort((p, q) => q.depth - p.depth);
    for (const item of order) this.drawBone(item);
    this.view.context.globalAlpha = 1;
  }

  drawBone({ a, b, width, colour, alpha }) {
    const { context } = this.view;
    context.beginPath();
    context.moveTo(this.x[a], this.y[a]);
    context.lineTo(this.x[b], this.y[b]);
    context.globalAlpha = alpha;
    context.strokeStyle = this.colours.edge;
    context.lineWidth = Math.max(width, 1.5) + Math.min(2, width * EDGE); // sets crossing limbs apart
    context.stroke();
    context.strokeStyle = colour;
    context.lineWidth = Math.max(width, 1.5);
    context.stroke();
  }

  drawGround() {
    const box = this.ground ??= this.groundBox();
    const { context } = this.view;
    context.strokeStyle = this.colours.grid;
    context.lineWidth = 1;
    context.beginPath();
    for (let x = box.left; x <= box.right; x += box.step) {
      this.addLine([x, 0, box.far], [x, 0, box.near]);
    }
    for (let z = box.far; z <= box.near; z += box.step) {
      this.addLine([box.left, 0, z], [box.right, 0, z]);
    }
    context.stroke();
  }

  groundBox() {
    const [low, high] = this.extent(0, this.clip.times.length - 1) ?? [[-1, 0, -1], [1, 2, 1]];
    const wide = Math.max(high[0] - low[0], high[2] - low[2]) + 2;
    const step = Math.ceil(wide / MOST_LINES);
    const down = (value) => step * Math.floor((value - 1) / step);
    const up = (value) => step * Math.ceil((value + 1) / step);
    return { left: down(low[0]), right: up(high[0]), far: down(low[2]), near: up(high[2]), step };
  }

  drawShadow(person) {
    const { context, focal } = this.view;
    const first = person.index * this.clip.joints.length;
    const depth = this.depthBelow[first];
    if (depth < NEAR_M) return;
    context.strokeStyle = this.colours.shadow;
    context.lineWidth = Math.max((person.thickness * focal) / depth, 1);
    context.globalAlpha = 0.6;
    context.beginPath();
    for (const { parent, child } of this.bones) {
      const [a, b] = [first + parent, first + child];
      if (Math.min(this.depthBelow[a], this.depthBelow[b]) < NEAR_M) continue;
      context.moveTo(this.xBelow[a], this.yBelow[a]);
      context.lineTo(this.xBelow[b], this.yBelow[b]);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  /** The camera as a pyramid of a quarter of a metre. */
  drawCamera({ at, right, down, forward }) {
    const [width, height] = this.clip.image_wh;
    const long = 0.15 / Math.max(width, height);
    const corner = (x, y) => at.map((value, i) =>
      value + 0.25 * forward[i] + x * long * width * right[i] + y * long * height * down[i]);
    const corners = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
    const { context } = this.view;
    context.strokeStyle = this.colours.quiet;
    context.lineWidth = 1.5;
    context.beginPath();
    corners.forEach((here, i) => {
      this.addLine(at, here);
      this.addLine(here, corners[(i + 1) % 4]);
    });
    context.stroke();
  }

  /** Add a line between world points to the path, as far as it lies before the eye. */
  addLine(from, to) {
    let [a, b] = [this.toEye(...from), this.toEye(...to)];
    if (a[2] < b[2]) [a, b] = [b, a];
    if (a[2] < NEAR_M) return;
    if (b[2] < NEAR_M) {
      const share = (a[2] - NEAR_M) / (a[2] - b[2]);
      b = b.map((value, i) => a[i] + (value - a[i]) * share);
    }
    this.view.context.moveTo(...this.onCanvas(a));
    this.view.context.lineTo(...this.onCanvas(b));
  }

  drawTags(people) {
    const depth = (person) => this.depth[person.index * this.clip.joints.length];
    for (const person of people.sort((p, q) => depth(q) - depth(p))) this.drawTag(person);
  }

  drawTag(person) {
    const nJoints = this.clip.joints.length;
    let top = person.index * nJoints;
    for (let i = top; i < (person.index + 1) * nJoints; i++) {
      if (this.y[i] < this.y[top]) top = i;
    }
    if (this.depth[top] >= NEAR_M) {
      drawTag(this.view.context, person, this.x[top], this.y[top] - 20);
    }
  }
}

/** How surely a bone is known, as opacity; interpolated frames are paler. */
function opacity(person, row, { parent, child }) {
  const a = person.trust[parent * person.n + row];
  const b = person.trust[child * person.n + row];
  const trust = Math.min(a & 15, b & 15) / 15;
  return (0.35 + 0.65 * trust) * (a & SEEN ? 1 : 0.6);
}

/** A person's name on his colour, centred at x, y. */
function drawTag(context, person, x, y) {
  context.font = '600 12px system-ui, sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const half = context.measureText(person.name).width / 2 + 6;
  context.fillStyle = person.colour;
  context.beginPath();
  context.roundRect(x - half, y - 9, 2 * half, 18, 9);
  context.fill();
  context.fillStyle = '#10131a'; // readable on every person's colour
  context.fillText(person.name, x, y + 0.5);
}
