/** Extension providers as the control plane's configuration reads them, with defaults filled in. */
import { type ExtensionProvider, providerFields } from '../../src/control/config/extension-providers.js'

export function parseProviders(written: object[]): ExtensionProvider[] {
  return providerFields.extensionProviders.parse(written)
}
