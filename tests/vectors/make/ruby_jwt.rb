# Tokens by ruby-jwt. Prints `algorithm token` lines.
require 'jwt'

%w[HS256 HS384 HS512].each do |alg|
  claims = { iss: 'https://id.example', sub: 'user-42', aud: %w[api web], iat: 1_700_000_000, nbf: 1_700_000_000,
             exp: 1_700_003_600, jti: "ruby-jwt-#{alg.downcase}-1", name: 'Zoë "Z" 日本' }
  puts "#{alg} #{JWT.encode(claims, ARGV[0], alg, { typ: 'JWT' })}"
end
