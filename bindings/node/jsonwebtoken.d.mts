import * as all from './jsonwebtoken.js'
export * from './jsonwebtoken.js'
export default all
