// Messages are verified by the libraries that receivers use, and by nothing but the keys where a library can't: ten
// thousand of them, with texts from all of Unicode. One flipped bit is refused.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHmac, createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Webhook as Standard } from 'standardwebhooks'
import { Webhook as Svix } from 'svix'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const lines = execFileSync('go', ['run', './test/signed', '-n', '10000'], { cwd: root, maxBuffer: 1 << 30 }).toString()
const messages = lines.trimEnd().split('\n').map((line) => {
  const m = JSON.parse(line)
  m.body = Buffer.from(m.body, 'base64')
  m.headers = Object.fromEntries(Object.entries(m.headers).map(([name, [value]]) => [name.toLowerCase(), value]))
  return m
})

// Numbers that are the same in each run.
let seed = 1
const below = (n) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor((seed / 2 ** 32) * n)
}

const flip = (bytes) => {
  const spoilt = Buffer.from(bytes)
  spoilt[below(spoilt.length)] ^= 1 << below(8)
  return spoilt
}

// One bit of the id or of the time, or one of each signature.
const spoil = (headers) => {
  const name = ['webhook-id', 'webhook-timestamp', 'webhook-signature'][below(3)]
  if (name !== 'webhook-signature') return { ...headers, [name]: flip(Buffer.from(headers[name])).toString('latin1') }
  const signatures = headers[name].split(' ').map((one) => {
    const [version, signature] = one.split(',')
    return `${version},${flip(Buffer.from(signature, 'base64')).toString('base64')}`
  })
  return { ...headers, [name]: signatures.join(' ') }
}

const refuses = (check, message) => {
  try {
    check()
  } catch {
    return
  }
  assert.fail(message)
}

const everyMessage = (takes, each = 1) => {
  for (const m of messages.filter((_, i) => i % each === 0)) {
    takes(m, m.body, m.headers)
    refuses(() => takes(m, flip(m.body), m.headers), `another body is taken: ${m.body}`)
    refuses(() => takes(m, m.body, spoil(m.headers)), `other headers are taken: ${JSON.stringify(m.headers)}`)
  }
}

for (const [name, Webhook] of Object.entries({ standardwebhooks: Standard, svix: Svix })) {
  for (const which of ['current', 'old']) {
    const receiver = new Webhook(messages[0][which])
    test(`${name} verifies them with the ${which} secret`, () => {
      everyMessage((_, body, headers) => receiver.verify(body, headers), which === 'current' ? 1 : 10)
    })
  }

  test(`${name} refuses them with a secret of somebody else`, () => {
    const stranger = new Webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
    assert.throws(() => stranger.verify(messages[0].body, messages[0].headers))
  })

  test(`${name} refuses a message of an hour ago`, () => {
    const headers = { ...messages[0].headers, 'webhook-timestamp': String(Math.floor(Date.now() / 1000) - 3600) }
    assert.throws(() => new Webhook(messages[0].current).verify(messages[0].body, headers), /old/)
  })
}

test('v1a is verified with the public key alone', () => {
  const raw = Buffer.from(messages[0].public.replace('whpk_', ''), 'base64')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' })
  everyMessage((_, body, headers) => {
    const signed = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`, 'latin1'), body])
    const signatures = headers['webhook-signature'].split(' ').filter((one) => one.startsWith('v1a,'))
    assert.ok(signatures.some((one) => verify(null, signed, key, Buffer.from(one.slice(4), 'base64'))))
  }, 20)
})

test('event-signature is the documented HMAC-SHA1 of the raw bytes', () => {
  for (const m of messages) {
    assert.equal(createHmac('sha1', m.contract).update(m.body).digest('hex'), m.headers['event-signature'])
    assert.notEqual(createHmac('sha1', m.contract).update(flip(m.body)).digest('hex'), m.headers['event-signature'])
  }
})
