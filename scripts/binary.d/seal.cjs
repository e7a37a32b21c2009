// Stage two: puts the script and the files of STAGE into a Node executable. Run by the Node 22 of the tools, which the
// packer needs; the executable may be of an earlier one.
// usage: seal.cjs STAGE NODE OUTPUT   (cwd: the folder of the tools)
const processes = require('node:child_process')
const { mkdirSync, readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { join, resolve } = require('node:path')

const [stage, nodePath, output] = process.argv.slice(2).map((path) => resolve(path))
// The packer starts NODE to compile the script ahead. With this seed two builds of the same sources are the same bytes.
const { execFile } = processes
processes.execFile = (file, args, done) => execFile(file, ['--random-seed=42', ...args], done)

// Its command refuses what its function can do: an executable of Node 20 with assets.
const sea = createRequire(join(process.cwd(), 'package.json'))('@yao-pkg/pkg/lib-es5/sea.js').default

// Relative to the packer's temporary folder: the path of the script becomes part of the executable, and would make it
// different in each checkout.
process.env.TMPDIR = join(stage, 'tmp')
mkdirSync(process.env.TMPDIR, { recursive: true })
const fromTemporary = '../..'
const { files } = JSON.parse(readFileSync(join(stage, 'manifest.json'), 'utf8'))
const assets = Object.fromEntries(files.map(({ path }) => [path, `${fromTemporary}/files/${path}`]))

sea(join(stage, 'weft.cjs'), {
  targets: [{ nodeRange: 'node20', platform: 'linux', arch: process.arch, output }],
  nodePath,
  signature: false,
  seaConfig: {
    main: `${fromTemporary}/weft.cjs`,
    useCodeCache: true,
    assets: { 'manifest.json': `${fromTemporary}/manifest.json`, ...assets },
  },
}).catch((error) => {
  console.error(error)
  process.exit(1)
})
