// The socket of filters.yaml.
export { default } from './program/live.js'
