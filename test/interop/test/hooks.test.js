// An endpoint is told what happens to a connection, in order, and verifies each message with the libraries of Standard
// Webhooks: with the secret that it was given, and with either while one replaces the other.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { Webhook as Standard } from 'standardwebhooks'
import { Webhook as Svix } from 'svix'
import { server } from '../server.js'

const key = 'a key of the subscriber'
const messages = []
const receiver = createServer(async (request, response) => {
  const parts = []
  for await (const part of request) parts.push(part)
  messages.push({ headers: request.headers, body: Buffer.concat(parts) })
  response.end()
  receiver.emit('message')
})

before(async () => {
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
})
after(() => {
  receiver.closeAllConnections()
  receiver.close()
})

const message = async (n) => {
  while (messages.length <= n) await once(receiver, 'message', { signal: AbortSignal.timeout(30_000) })
  return messages[n]
}

const token = async (account, id, secret) => {
  const response = await fetch(`${server.base_url}/v1/accounts/${account}/auth/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ grant_type: 'client_credentials', audience: `https://api.dintero.com/v1/accounts/${account}` }),
  })
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()).access_token
}

const post = async (bearer, path, body) => {
  const response = await fetch(`${server.base_url}/v1${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${bearer}`, ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  })
  assert.equal(response.status, 200, await response.clone().text())
  return response.json()
}

test('an endpoint verifies what it is told', async () => {
  const merchant = await token(server.account_id, server.client_id, server.client_secret)
  const partner = await token(server.partner_account_id, server.owner_client_id, server.owner_client_secret)
  const hooks = `/accounts/${server.account_id}/hooks/subscriptions`
  const events = `/accounts/${server.owner_id}/management/accounts/${server.account_id}/connections/vipps/events`
  const verifies = (m, secret) => {
    const told = new Standard(secret).verify(m.body, m.headers)
    assert.deepEqual(new Svix(secret).verify(m.body, m.headers), told)
    assert.equal(m.headers['event-signature'], createHmac('sha1', key).update(m.body).digest('hex'))
    return told
  }

  const made = await post(merchant, hooks, {
    config: { url: `http://127.0.0.1:${receiver.address().port}/hooks`, secret: { type: 'HMAC-SHA1', value: key } },
    events: ['account_connection_update'],
  })
  const ping = await message(0)
  assert.equal(ping.headers.event, 'ping')
  assert.equal(verifies(ping, made.webhook_secret).id, made.id)

  await post(merchant, `/accounts/${server.account_id}/management/settings/connections/vipps`)
  await post(partner, events, { status: 'pending', event: 'signature_required', description: 'Blåbærsyltetøy 日本 😀' })
  for (const [n, event] of ['signup_received', 'signature_required'].entries()) {
    const m = await message(n + 1)
    const told = verifies(m, made.webhook_secret)
    assert.equal(told.event, 'account_connection_update')
    assert.equal(told.connection_event.event, event)
    assert.equal(told.connection_event.seq, n + 1)
    assert.equal(told.event_delivery, m.headers['event-delivery'])
    assert.equal(told.connection_event.id, m.headers['webhook-id'])
    assert.match(m.headers['user-agent'], /^Mooring-Hook\/[0-9a-f]+$/)
  }

  const rotated = await post(merchant, `${hooks}/${made.id}/rotate-secret?overlap=1h`)
  assert.notEqual(rotated.webhook_secret, made.webhook_secret)
  await post(partner, events, { status: 'enabled', event: 'agreement_signed' })
  const last = await message(3)
  assert.equal(verifies(last, made.webhook_secret).connection.status, 'enabled')
  assert.equal(verifies(last, rotated.webhook_secret).connection.status, 'enabled')
})
