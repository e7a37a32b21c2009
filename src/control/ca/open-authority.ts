/** The authority where one is wanted, with the socket at which processes of this machine ask. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ControlConfig } from '../config/control-config.js'
import type { CertificateAuthority, CertificateAuthorityOptions } from './certificate-authority.js'

/** Whether there is one: asked for, or made before by `weft ca init`. */
export function hasAuthority({ authority, data }: ControlConfig): boolean {
  return authority !== null || existsSync(join(data, 'ca'))
}

export interface OpenAuthority {
  authority: CertificateAuthority
  close(): Promise<void>
}

/** Throws `WEFT_CA_KEY`, `WEFT_CONTROL_ADDRESS`. */
export async function openAuthority(options: CertificateAuthorityOptions): Promise<OpenAuthority> {
  const { CertificateAuthority } = await import('./certificate-authority.js')
  const authority = await CertificateAuthority.open(options)
  const { socket } = authority.settings
  if (socket === null) return { authority, close: () => authority.close() }
  try {
    const { startSocketServer } = await import('./socket-server.js')
    const { audit, logger, nowMs } = options
    const server = await startSocketServer({
      ...{ path: socket.path, rules: socket.workloads, issuer: authority.issuer },
      current: () => authority.bundle(),
      denied: (who, why) => audit.denied(who, `a certificate: ${why}`, new Date(nowMs())),
      fault: (text) => logger.error(text),
    })
    const close = async () => {
      await server.close()
      await authority.close()
    }
    return { authority, close }
  } catch (error) {
    await authority.close()
    throw error
  }
}
