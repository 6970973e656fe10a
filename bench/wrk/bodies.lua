-- POST of each body of a file in turn, a line each: BODIES names the file, ADDRESS where they are sent.
local bodies, n = {}, 0
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local address, headers = os.getenv("ADDRESS"), {["Content-Type"] = "application/fhir+json"}
function request()
  n = n % #bodies + 1
  return wrk.format("POST", address, headers, bodies[n])
end
-- What was measured, as one line of JSON behind the word MEASURED.
function done(summary, latency)
  local e = summary.errors
  print(string.format(
    'MEASURED {"requests":%d,"seconds":%.6f,"failed":%d,"p50":%.3f,"p99":%.3f}', summary.requests,
    summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
