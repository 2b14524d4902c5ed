// ONNX Runtime's side of `make bench`: one JSON line on stdout, behind one that says when it is warm.
//
// usage: onnx_peer.js version
//        onnx_peer.js predict FILE THREADS SECONDS DIMENSION...
//
// Like `netcc bench`, every call works on the same batch of random samples: milliseconds of a call,
// the median over SECONDS. The package is looked for in bench/node_modules and NODE_PATH.
'use strict';
const ort = require('onnxruntime-node');

const warmUp = 0.3; // seconds, before it counts
const leastCalls = 3;

async function medianMs(call, seconds) {
  const now = () => performance.now() / 1e3;
  let start = now();
  for (let calls = 0; calls < leastCalls || now() - start < warmUp; calls++) await call();
  console.log(JSON.stringify({warm: true}));
  const times = [];
  start = now();
  while (times.length < leastCalls || now() - start < seconds) {
    const begin = performance.now();
    await call();
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1];
}

async function predict(file, threads, seconds, ...dimensions) {
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  });
  const shape = dimensions.map(Number);
  const cells = Float32Array.from({length: shape.reduce((a, b) => a * b)}, Math.random);
  const feed = {x: new ort.Tensor('float32', cells, shape)};
  return {ms: await medianMs(() => session.run(feed), Number(seconds))};
}

async function main([command, ...words]) {
  const answer = command === 'version'
    ? {version: require('onnxruntime-node/package.json').version}
    : await predict(...words);
  console.log(JSON.stringify(answer));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(String(error));
  process.exit(1);
});
