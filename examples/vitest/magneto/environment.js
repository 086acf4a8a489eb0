// `magneto auto NAME -- npm test`: one cassette for the whole run.
//
// The command has set HTTP_PROXY, HTTPS_PROXY and NODE_EXTRA_CA_CERTS. Node's fetch reads the
// first two from version 24 on; before, undici's dispatcher has to. Without the command the
// variables are not there, and requests go to the API itself.
import { EnvHttpProxyAgent, setGlobalDispatcher } from "undici";

setGlobalDispatcher(new EnvHttpProxyAgent());
