// Starts a fresh `mooring dev` for one test file and stops it afterwards.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What the server wrote when it was ready: base_url, account_id, client_id, client_secret and so on. */
export const server = {}

const dir = mkdtempSync(join(tmpdir(), 'mooring-interop-'))
let child

before(async () => {
  const binary = join(dir, 'mooring')
  const ready = join(dir, 'ready.json')
  execFileSync('go', ['build', '-o', binary, './cmd/mooring'], { cwd: root, stdio: 'inherit' })
  child = spawn(binary, ['dev', '--listen', '127.0.0.1:0', '--ready-file', ready], { env: { ...process.env, MOORING_CACHE_DIR: dir } })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const patience = Date.now() + 60_000
  while (!existsSync(ready)) {
    if (child.exitCode !== null || Date.now() > patience) {
      throw new Error(`the server did not start:\n${output}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  Object.assign(server, JSON.parse(readFileSync(ready, 'utf8')))
})

after(async () => {
  if (child?.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  rmSync(dir, { recursive: true })
})
