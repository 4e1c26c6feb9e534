// Writes an endless animation as a GIF: one palette for all frames, exact where 256 colours do.
"use strict";

const PALETTE = 256;
const MOST_CODES = 4096; // of LZW in a GIF, which have at most 12 bits

/** Bytes of a GIF; frames are RGBA arrays of one size, `delay` milliseconds each. */
function encodeGif(frames, width, height, delay) {
  const { palette, indexOf } = makePalette(frames);
  const bytes = [...ascii("GIF89a"), ...word(width), ...word(height), 0xf7, 0, 0];
  for (let i = 0; i < PALETTE; i++) {
    const colour = palette[i] ?? 0;
    bytes.push(colour & 255, (colour >> 8) & 255, (colour >> 16) & 255);
  }
  bytes.push(0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, 0, 0, 0); // without end
  for (const frame of frames) {
    bytes.push(0x21, 0xf9, 4, 4, ...word(Math.round(delay / 10)), 0, 0);
    bytes.push(0x2c, 0, 0, 0, 0, ...word(width), ...word(height), 0, 8);
    const pixels = asColours(frame);
    const packed = compress(Uint8Array.from(pixels, (colour) => indexOf(colour)));
    for (let i = 0; i < packed.length; i += 255) {
      const block = packed.slice(i, i + 255);
      bytes.push(block.length, ...block);
    }
    bytes.push(0);
  }
  bytes.push(0x3b);
  return Uint8Array.from(bytes);
}

const ascii = (text) => [...text].map((letter) => letter.charCodeAt(0));
const word = (number) => [number & 255, number >> 8];

/** Pixels as numbers 0xBBGGRR. */
function asColours(frame) {
  const pixels = new Uint32Array(frame.length / 4);
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = frame[4 * i] | (frame[4 * i + 1] << 8) | (frame[4 * i + 2] << 16);
  }
  return pixels;
}

/** At most 256 colours and the place of each pixel's colour among them. */
function makePalette(frames) {
  const count = new Map();
  for (const frame of frames) {
    for (const colour of asColours(frame)) count.set(colour, (count.get(colour) ?? 0) + 1);
  }
  if (count.size <= PALETTE) {
    const palette = [...count.keys()];
    const places = new Map(palette.map((colour, place) => [colour, place]));
    return { palette, indexOf: (colour) => places.get(colour) };
  }
  return medianCut(count);
}

/** Boxes of similar colours, each time the one cut that has the widest range and many pixels. */
function medianCut(count) {
  const bins = new Map(); // colours of 5 or 6 bits a channel, so that there are not too many
  for (const [colour, times] of count) {
    const bin = bins.get(coarse(colour)) ?? { sum: [0, 0, 0], times: 0 };
    channels(colour).forEach((value, c) => (bin.sum[c] += value * times));
    bin.times += times;
    bins.set(coarse(colour), bin);
  }
  const points = [...bins].map(([key, { sum, times }]) => ({ key, times, mean: sum.map((s) => s / times) }));
  let boxes = [boxOf(points)];
  while (boxes.length < PALETTE) {
    const box = boxes.reduce((a, b) => (b.points.length > 1 && b.spread > a.spread ? b : a));
    if (box.points.length < 2) break;
    boxes = boxes.filter((other) => other !== box).concat(cut(box));
  }
  const places = new Map();
  boxes.forEach((box, place) => box.points.forEach((point) => places.set(point.key, place)));
  return { palette: boxes.map(meanColour), indexOf: (colour) => places.get(coarse(colour)) };
}

const channels = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
const coarse = (colour) => colour & 0xf8fcf8;

function boxOf(points) {
  let axis = 0;
  let widest = -1;
  for (let c = 0; c < 3; c++) {
    let low = 255;
    let high = 0;
    for (const point of points) {
      low = Math.min(low, point.mean[c]);
      high = Math.max(high, point.mean[c]);
    }
    if (high - low > widest) [axis, widest] = [c, high - low];
  }
  const times = points.reduce((sum, point) => sum + point.times, 0);
  return { points, axis, spread: points.length > 1 ? widest * Math.sqrt(times) : -1 };
}

function cut({ points, axis }) {
  const sorted = [...points].sort((a, b) => a.mean[axis] - b.mean[axis]);
  const half = sorted.reduce((sum, point) => sum + point.times, 0) / 2;
  let seen = 0;
  let place = 0;
  while (place < sorted.length - 1 && seen + sorted[place].times / 2 < half) seen += sorted[place++].times;
  place = Math.max(1, place);
  return [boxOf(sorted.slice(0, place)), boxOf(sorted.slice(place))];
}

function meanColour({ points }) {
  const times = points.reduce((sum, point) => sum + point.times, 0);
  const mean = [0, 1, 2].map((c) => points.reduce((sum, p) => sum + p.mean[c] * p.times, 0) / times);
  return mean.reduce((colour, value, c) => colour | (Math.round(value) << (8 * c)), 0);
}

/** LZW with codes that grow from 9 to 12 bits, lowest bit first, over symbols of 8 bits. */
function compress(symbols) {
  const clear = 256;
  const bytes = [];
  let table = new Map();
  let size = 9;
  let held = 0;
  let bits = 0;
  const emit = (code) => {
    held |= code << bits;
    bits += size;
    for (; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  emit(clear);
  let known = symbols[0];
  for (let i = 1; i < symbols.length; i++) {
    const key = (known << 8) | symbols[i];
    if (table.has(key)) {
      known = table.get(key);
      continue;
    }
    emit(known);
    const next = clear + 2 + table.size;
    if (next < MOST_CODES) {
      table.set(key, next);
      if (next === 1 << size) size++;
    } else {
      emit(clear);
      table = new Map();
      size = 9;
    }
    known = symbols[i];
  }
  emit(known);
  emit(clear + 1);
  if (bits > 0) bytes.push(held & 255);
  return bytes;
}
