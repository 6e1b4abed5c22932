import jwt from './jsonwebtoken.js'

export const {
  decode, verify, sign, JsonWebTokenError, NotBeforeError, TokenExpiredError, TokenRevokedError, useLog, closeLog, revoke,
} = jwt
export default jwt
