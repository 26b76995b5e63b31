// Runs http-cache-tests against the gateway at BASE and prints, as one JSON object, what each test
// is and how it ended. With ONLY=<id> runs one test and shows its exchanges on standard error.
import fetch from 'node-fetch'
import suites from './node_modules/http-cache-tests/tests/index.mjs'
import surrogate from './node_modules/http-cache-tests/tests/surrogate-control.mjs'
import { runTests, getResults } from './node_modules/http-cache-tests/client/runner.mjs'

const print = console.log
console.log = console.error
suites.push(surrogate)
const only = process.env.ONLY
if (only) {
  for (const suite of suites) {
    suite.tests = suite.tests.filter(test => test.id === only)
    suite.tests.forEach(test => { test.dump = true })
  }
}
await runTests(suites, fetch, false, process.env.BASE)
const results = getResults()
const cases = suites.flatMap(suite => suite.tests.map(test => ({
  id: test.id,
  name: test.name,
  suite: suite.id,
  kind: test.kind ?? 'required',
  browser_only: test.browser_only === true,
  result: results[test.id] ?? null
})))
print(JSON.stringify(cases))
