// Loaded before every test file: the same properties are tried on the same cases each time. `npm run properties` draws new ones.
import fc from "fast-check";

fc.configureGlobal({ seed: 20_260_101 });
