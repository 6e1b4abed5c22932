import jwt from './jsonwebtoken.js'

export const {
  decode, verify, sign, JsonWebTokenError, NotBeforeError, TokenExpiredError, TokenRevokedError, useLog, useLogSync,
  closeLog, revoke,
} = jwt
export default jwt
