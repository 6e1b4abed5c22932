// Tokens by jose. Prints `algorithm token` lines.
import { SignJWT } from 'jose'

const secret = new TextEncoder().encode(process.argv[2])
for (const alg of ['HS256', 'HS384', 'HS512']) {
  const token = await new SignJWT({ name: 'Zoë "Z" 日本' })
    .setProtectedHeader({ alg, typ: 'JWT' })
    .setIssuer('https://id.example').setSubject('user-42').setAudience(['api', 'web'])
    .setIssuedAt(1700000000).setNotBefore(1700000000).setExpirationTime(1700003600)
    .setJti(`jose-${alg.toLowerCase()}-1`)
    .sign(secret)
  console.log(alg, token)
}
