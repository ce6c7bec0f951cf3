import type { Conformance } from '../providers/conformance.ts';
import { openProviderAlone } from './open-provider.ts';

/* Makes one call with an effect and sends its parent what came of it: `node effect-process.ts FILE EFFECT OWN_ID`. */

const [file = '', name = '', ownId = ''] = process.argv.slice(2);
const { conformance } = (await import(file)) as { conformance: Conformance };
const { made, close } = openProviderAlone(conformance.provider, process.env);
const effect = conformance.effects[name]!;
const outcome = await effect.call(made)(ownId, effect.input);
process.send!({ outcome });
await close();
process.disconnect();
