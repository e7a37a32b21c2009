// A module whose default export is not what defineSocket returned.
export default { name: 'no socket' }
