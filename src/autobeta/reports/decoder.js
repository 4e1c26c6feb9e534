// Decodes a code to an image, layer by layer, as `run/layers.py` wrote them.
// Images are arrays with channels last: value of row y, column x, channel c at (y * width + x) * channels + c.
"use strict";

const HALF_SPECIAL = 31; // exponent of infinities in float16
const LANES = 8; // outputs that are computed at once

/** A float16 of 16 bits as a number. */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === HALF_SPECIAL) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 25) * (1024 + fraction) : sign * 2 ** -24 * fraction;
}

/** The numbers of a base64 text, of little-endian float16 or float32. */
function readWeights(text, precision) {
  const bytes = atob(text);
  const width = precision === "float16" ? 2 : 4;
  const view = new DataView(new ArrayBuffer(bytes.length));
  for (let i = 0; i < bytes.length; i++) view.setUint8(i, bytes.charCodeAt(i));
  const numbers = new Float32Array(bytes.length / width);
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = width === 2 ? fromHalf(view.getUint16(2 * i, true)) : view.getFloat32(4 * i, true);
  }
  return numbers;
}

/** A function from a code to an image in [0, 1]; the array that it returns is its own. */
function makeDecoder(run) {
  const weights = readWeights(run.weights, run.precision);
  let place = 0;
  const take = (count) => weights.subarray(place, (place += count));
  let shape = null; // [height, width] once there is an image
  const steps = run.layers.map((layer) => {
    if (layer.kind === "relu") return relu;
    if (layer.kind === "tanh") return tanh;
    if (layer.kind === "unflatten") {
      const [channels, height, width] = layer.shape;
      shape = [height, width];
      return unflatten(channels, height, width);
    }
    const { inputs, outputs } = layer;
    if (layer.kind === "linear") return linear(take(inputs * outputs), take(outputs), inputs);
    const [high, wide] = layer.kernel;
    const weight = take(high * wide * inputs * outputs);
    const size = shape;
    shape = [0, 1].map((i) => (size[i] - 1) * layer.stride[i] - 2 * layer.padding[i] + layer.kernel[i]);
    return transposed(layer, weight, take(outputs), size, shape);
  });
  const link = LINKS[run.link];
  const image = new Float32Array(run.shape[0] * run.shape[1] * run.shape[2]);
  return (code) => {
    let values = Float32Array.from(code);
    for (const step of steps) values = step(values);
    for (let i = 0; i < image.length; i++) image[i] = Math.min(1, Math.max(0, link(values[i])));
    return image;
  };
}

const LINKS = {
  linear: (v) => v,
  logistic: (v) => 1 / (1 + Math.exp(-v)),
  continuous_bernoulli: (v) => (Math.abs(v) < 0.01 ? 0.5 + v / 12 : 1 / (1 - Math.exp(-v)) - 1 / v),
};

function relu(values) {
  for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] = 0;
  return values;
}

function tanh(values) {
  for (let i = 0; i < values.length; i++) values[i] = Math.tanh(values[i]);
  return values;
}

/** Channels first, as the weights before it have them, to channels last. */
function unflatten(channels, height, width) {
  const out = new Float32Array(channels * height * width);
  const pixels = height * width;
  return (values) => {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) out[p * channels + c] = values[c * pixels + p];
    }
    return out;
  };
}

/** out[o] = bias[o] + sum_i values[i] weight[i, o] */
function linear(weight, bias, inputs) {
  const outputs = bias.length;
  const out = new Float32Array(outputs);
  const add = adder(weight, inputs, outputs);
  return (values) => {
    out.set(bias);
    add(values, 0, out, 0, 0);
    return out;
  };
}

/** Each input pixel adds to a window of output pixels, of which the part in the image counts. */
function transposed(layer, weight, bias, [height, width], [outHeight, outWidth]) {
  const { inputs, outputs, kernel, stride, padding } = layer;
  const out = new Float32Array(outHeight * outWidth * outputs);
  const add = adder(weight, inputs, outputs);
  return (values) => {
    for (let p = 0; p < out.length; p += outputs) out.set(bias, p);
    for (let y = 0; y < height; y++) {
      for (let ky = 0; ky < kernel[0]; ky++) {
        const outY = y * stride[0] - padding[0] + ky;
        if (outY < 0 || outY >= outHeight) continue;
        for (let x = 0; x < width; x++) {
          for (let kx = 0; kx < kernel[1]; kx++) {
            const outX = x * stride[1] - padding[1] + kx;
            if (outX < 0 || outX >= outWidth) continue;
            const from = (y * width + x) * inputs;
            const to = (outY * outWidth + outX) * outputs;
            add(values, from, out, to, ky * kernel[1] + kx);
          }
        }
      }
    }
    return out;
  };
}

/** A function that adds to out[to + o] the sum over i of values[from + i] weight[place, i, o]. */
function adder(weight, inputs, outputs) {
  const many = outputs % LANES === 0;
  const blocks = blocked(weight, inputs, outputs, many ? LANES : 1);
  return many ? addMany(blocks, inputs, outputs) : addFew(blocks, inputs, outputs);
}

/** Weights (place, input, output) as (place, block, input, output in the block). */
function blocked(weight, inputs, outputs, lanes) {
  const found = new Float32Array(weight.length);
  const size = inputs * outputs;
  for (let k = 0; k < weight.length; k++) {
    const place = Math.floor(k / size);
    const i = Math.floor((k % size) / outputs);
    const o = k % outputs;
    found[place * size + (Math.floor(o / lanes) * inputs + i) * lanes + (o % lanes)] = weight[k];
  }
  return found;
}

function addFew(weight, inputs, outputs) {
  return (values, from, out, to, place) => {
    let w = place * inputs * outputs;
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let i = from; i < from + inputs; i++) sum += values[i] * weight[w++];
      out[to + o] += sum;
    }
  };
}

/** Eight sums at a time, which stay in registers; inputs of 0, as ReLU leaves them, are skipped. */
function addMany(weight, inputs, outputs) {
  return (values, from, out, to, place) => {
    let w = place * inputs * outputs;
    for (let o = to; o < to + outputs; o += LANES) {
      let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
      for (let i = from; i < from + inputs; i++, w += LANES) {
        const value = values[i];
        if (value === 0) continue;
        a += value * weight[w];
        b += value * weight[w + 1];
        c += value * weight[w + 2];
        d += value * weight[w + 3];
        e += value * weight[w + 4];
        f += value * weight[w + 5];
        g += value * weight[w + 6];
        h += value * weight[w + 7];
      }
      out[o] += a;
      out[o + 1] += b;
      out[o + 2] += c;
      out[o + 3] += d;
      out[o + 4] += e;
      out[o + 5] += f;
      out[o + 6] += g;
      out[o + 7] += h;
    }
  };
}
