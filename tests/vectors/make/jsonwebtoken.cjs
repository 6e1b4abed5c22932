// Tokens by jsonwebtoken. Prints `algorithm token` lines.
const jwt = require('jsonwebtoken')

for (const alg of ['HS256', 'HS384', 'HS512']) {
  const claims = { iss: 'https://id.example', sub: 'user-42', aud: ['api', 'web'], iat: 1700000000, nbf: 1700000000,
    exp: 1700003600, jti: `jsonwebtoken-${alg.toLowerCase()}-1`, name: 'Zoë "Z" 日本' }
  console.log(alg, jwt.sign(claims, process.argv[2], { algorithm: alg }))
}
