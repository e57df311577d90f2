/**
 * undici's client without the rest of the package (fetch, WebSocket, mocks): loading it takes half as long.
 * The package is pinned to one version, and a contract holds its adapter, so that a moved file is seen at once.
 */
declare module "undici/lib/dispatcher/client.js" {
  import { Client } from "undici";
  export default Client;
}
