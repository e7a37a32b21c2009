/** An authority made in the folder of a control plane, which finds it there when it starts. */
import { join } from 'node:path'
import { WeftError } from '../../errors.js'
import { defaultAuthority } from '../config/control-config.js'
import { foundAuthorities, makeAuthority, takeAuthority } from './authority-files.js'
import { placeOf } from './authority-place.js'
import { describeChain, type ShownLink } from './status.js'

export interface Given {
  certificate: string | null
  key: string | null
  passphraseFile: string | null
}

export interface Made {
  id: string
  folder: string
  links: ShownLink[]
}

/** Throws `WEFT_CA_KEY`, `WEFT_CA_STATE`. */
export function initAuthority(data: string, trustDomain: string, given: Given, nowMs: number): Made {
  const { certificate, key, passphraseFile } = given
  if ((certificate === null) !== (key === null)) throw new WeftError('WEFT_CA_KEY', 'give both --ca-cert and --ca-key')
  const place = placeOf({ data }, { ...defaultAuthority(), passphraseFile })
  const [present] = foundAuthorities(place)
  if (present !== undefined) {
    throw new WeftError('WEFT_CA_STATE', `there is an authority already: ${present.id} in ${place.folder}`, {
      hint: 'another takes its place without a stop: weft ca rotate',
    })
  }
  const made =
    certificate === null || key === null
      ? makeAuthority(place, trustDomain, nowMs)
      : takeAuthority(place, { certificate, key }, nowMs)
  const links = [...describeChain('intermediate', made.chain, nowMs), ...describeChain('root', made.root, nowMs)]
  return { id: made.id, folder: join(place.folder, made.id), links }
}
