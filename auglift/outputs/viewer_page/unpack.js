// What the page carries, read: the clip's description (JSON) and the people's rows (int16).
//
// The rows are gzip of all low bytes, then all high bytes, of int16 numbers: for each person the
// channels one after the other, each as differences from frame to frame. The channels of a person
// with J joints and A angles: 3J pose (unit_m), 2J joints in the picture (unit_px), J trust
// (0 to 15, + 16 where the person was seen), A angles (unit_deg).

const MISSING = -32768;
const SEEN = 16;

function textOf(id) {
  return document.getElementById(id).textContent;
}

function bytesOf(base64) {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function gunzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function summed(rows, nFrames) {
  for (let i = 1; i < rows.length; i++) {
    if (i % nFrames) rows[i] += rows[i - 1]; // int16 wraps as the differences did
  }
  return rows;
}

/** The clip with `people`: each has Int16Arrays (channels, n) and starts at frame row `first`. */
async function readClip() {
  const clip = JSON.parse(textOf('clip'));
  const bytes = await gunzip(bytesOf(textOf('rows')));
  const values = new Int16Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) values[i] = bytes[i] | (bytes[values.length + i] << 8);
  const nJoints = clip.joints.length;
  let at = 0;
  for (const [index, person] of clip.people.entries()) {
    const take = (channels) => {
      const rows = summed(values.subarray(at, at + channels * person.n), person.n);
      at += rows.length;
      return rows;
    };
    person.pose = take(3 * nJoints);
    person.joints2d = take(2 * nJoints);
    person.trust = take(nJoints);
    person.angles = take(clip.angles.length);
    person.index = index;
    person.shown = true;
  }
  return clip;
}

/** A person's row at a frame of the clip; −1 where there is no pose. */
function rowOf(person, iFrame) {
  const row = iFrame - person.first;
  return row >= 0 && row < person.n && person.pose[row] !== MISSING ? row : -1;
}

/** The last frame that begins at or before `timeS`. */
function frameAt(times, timeS) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= timeS + 1e-6) low = middle;
    else high = middle - 1;
  }
  return low;
}

function sideOf(joint) {
  return joint.startsWith('left_') ? 'left' : joint.startsWith('right_') ? 'right' : 'middle';
}

/** A canvas with as many pixels as it covers of the screen; its 2D context in CSS pixels. */
function fitted(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const wanted = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) {
    [canvas.width, canvas.height] = wanted;
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}
