// A client shaped like the public Node SDK: a token is fetched once, kept for its whole life less ten minutes, and sent
// with every request; anything but 200 is an error.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { server } from '../server.js'

class Client {
  #token
  constructor({ account, id, secret, audience = `https://api.dintero.com/v1/accounts/${account}` }) {
    Object.assign(this, { account, id, secret, audience, tokens: 0 })
  }

  async token() {
    if (!this.#token || this.#token.until < Date.now()) {
      const response = await fetch(`${server.base_url}/v1/accounts/${this.account}/auth/token`, {
        method: 'POST',
        headers: {
          Authorization: `Basic ${Buffer.from(`${this.id}:${this.secret}`).toString('base64')}`,
          'Content-Type': 'application/json; charset=utf-8',
          'Dintero-System-Name': 'interop',
          'Dintero-System-Version': '1.0.0',
          'User-Agent': 'interop-test',
        },
        body: JSON.stringify({ grant_type: 'client_credentials', audience: this.audience, type: 'account' }),
      })
      if (response.status !== 200) throw new Error(JSON.stringify(await response.json()))
      const { access_token, token_type, expires_in } = await response.json()
      assert.equal(token_type, 'Bearer')
      this.#token = { header: `${token_type} ${access_token}`, until: Date.now() + (expires_in - 600) * 1000 }
      this.tokens++
    }
    return this.#token.header
  }

  async request(method, path, body) {
    const response = await fetch(`${server.base_url}/v1${path}`, {
      method,
      headers: { Authorization: await this.token(), ...(body && { 'Content-Type': 'application/json' }) },
      body: body && JSON.stringify(body),
    })
    const answer = await response.json()
    if (response.status !== 200) throw Object.assign(new Error(answer.error.message), { status: response.status, ...answer.error })
    return answer
  }
}

const merchant = () => new Client({ account: server.account_id, id: server.client_id, secret: server.client_secret })
const partner = () =>
  new Client({ account: server.partner_account_id, id: server.owner_client_id, secret: server.owner_client_secret })

test('a whole day of a merchant and its partner', async () => {
  const m = merchant()
  const p = partner()
  const connections = `/accounts/${server.account_id}/management/settings/connections`
  const events = `/accounts/${server.owner_id}/management/accounts/${server.account_id}/connections/vipps/events`

  const signedUp = await m.request('POST', `${connections}/vipps`)
  assert.equal(signedUp.status, 'pending')
  assert.match(signedUp.signup.url, /^http/)

  const event = await p.request('POST', events, {
    status: 'pending', event: 'signature_required', description: 'Vipps awaiting signature',
    metadata: { signature_link: 'https://sig.example.com/K34K244' },
  })
  assert.equal(event.created_by, server.owner_client_id)
  await p.request('POST', events, { status: 'enabled', event: 'agreement_signed' })

  const connection = await m.request('GET', `${connections}/vipps`)
  assert.equal(connection.status, 'enabled')
  assert.deepEqual(connection.events.map((e) => e.event), ['signup_received', 'signature_required', 'agreement_signed'])
  assert.deepEqual(connection.events[1], event)
  assert.equal(m.tokens, 1)
})

test('errors arrive in the documented shape', async () => {
  const m = merchant()
  const connections = `/accounts/${server.account_id}/management/settings/connections`
  await assert.rejects(m.request('GET', `${connections}/swish`), { status: 404, code: 'NOT FOUND', errors: [] })
  await assert.rejects(m.request('POST', `${connections}/mastercard-3ds`, {}), (err) => {
    assert.equal(err.status, 400)
    assert.equal(err.code, 'INVALID_REQUEST_PARAMETER')
    assert.equal(err.errors[0].path, '#/signup')
    return true
  })
  const wrong = new Client({ account: server.account_id, id: server.client_id, secret: 'wrong' })
  await assert.rejects(wrong.request('GET', `${connections}/swish`), (err) => {
    assert.deepEqual(JSON.parse(err.message), { error: { errors: [], message: 'UNAUTHORIZED' } })
    return true
  })
})
