/** The version of the package, put in by the bundler; a checkout that runs unbundled says so. */
declare const WEFT_VERSION: string | undefined

export const weftVersion = typeof WEFT_VERSION === 'undefined' ? '0.0.0-source' : WEFT_VERSION
