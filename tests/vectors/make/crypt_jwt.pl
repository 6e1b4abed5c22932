# Tokens by Crypt::JWT. Prints `algorithm token` lines.
use strict;
use warnings;
use utf8;
use Crypt::JWT qw(encode_jwt);

for my $alg (qw(HS256 HS384 HS512)) {
    my $claims = { iss => 'https://id.example', sub => 'user-42', aud => ['api', 'web'], iat => 1700000000,
        nbf => 1700000000, exp => 1700003600, jti => 'crypt-jwt-' . lc($alg) . '-1', name => 'Zoë "Z" 日本' };
    print $alg, ' ', encode_jwt(payload => $claims, key => $ARGV[0], alg => $alg), "\n";
}
