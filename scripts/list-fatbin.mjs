#!/usr/bin/env node
/**
 * What a library holds for GPUs: a line for each .cu file, such as `sm_80 sm_90 compute_90` (machine code for two architectures,
 * PTX for one). Usage: list-fatbin.mjs LIBRARY
 *
 * Of each file nvcc leaves a fat binary: a header (magic, version, its size, bytes that follow), then entries, each with a header
 * (kind, version, its size, bytes that follow, ..., architecture at 28). NVIDIA has not published this; cuobjdump lists the same.
 * The code itself is compressed, and not looked at.
 */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';

const magic = 0xba55ed50;
const headerBytes = 16;
const kinds = { 1: 'compute_', 2: 'sm_' };

const path = process.argv[2];
const file = readFileSync(path);
const pattern = Buffer.alloc(4);
pattern.writeUInt32LE(magic);

function fail(message) {
  console.error(`list-fatbin: ${path}: ${message}`);
  process.exit(1);
}

let count = 0;
for (let at = file.indexOf(pattern); at >= 0; at = file.indexOf(pattern, at + 1)) {
  // The CUDA runtime has the magic number among its instructions.
  if (at % 8 !== 0 || file.readUInt16LE(at + 4) !== 1 || file.readUInt16LE(at + 6) !== headerBytes) continue;
  count++;
  const end = at + headerBytes + Number(file.readBigUInt64LE(at + 8));
  if (end > file.length) fail(`the fat binary at ${at} is cut off`);
  const entries = [];
  let entry = at + headerBytes;
  while (entry < end) {
    const kind = kinds[file.readUInt16LE(entry)];
    if (!kind) fail(`the entry at ${entry} is of kind ${file.readUInt16LE(entry)}, neither PTX nor machine code`);
    entries.push(kind + file.readUInt32LE(entry + 28));
    entry += file.readUInt32LE(entry + 4) + Number(file.readBigUInt64LE(entry + 8));
  }
  if (entry !== end) fail(`the fat binary at ${at} ends at ${end}, but its last entry at ${entry}`);
  console.log(entries.join(' '));
}
if (count === 0) fail('there is no fat binary');
