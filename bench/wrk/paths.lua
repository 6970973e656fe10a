-- GET of each path of a file in turn: PATHS names the file.
local paths, n = {}, 0
for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
function request()
  n = n % #paths + 1
  return wrk.format("GET", paths[n], nil)
end
-- What was measured, as one line of JSON behind the word MEASURED.
function done(summary, latency)
  local e = summary.errors
  print(string.format(
    'MEASURED {"requests":%d,"seconds":%.6f,"failed":%d,"p50":%.3f,"p99":%.3f}', summary.requests,
    summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
