import * as all from './express.js'
export * from './express.js'
export default all
