--- The soak's report, in Markdown.

local kinds = require "soak.faults"

local report = {}

--- A number with its thousands apart.
function report.number(count)
	local digits = ("%d"):format(count)
	return (digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function milliseconds(seconds)
	return ("%.1f ms"):format(seconds * 1000)
end

local function megabytes(kilobytes)
	return kilobytes and ("%.1f MiB"):format(kilobytes / 1024) or "gone"
end

--- One table: its head, then its rows.
local function show(head, rows)
	print("\n| " .. table.concat(head, " | ") .. " |")
	print("|" .. ("---|"):rep(#head))
	for _, row in ipairs(rows) do
		print("| " .. table.concat(row, " | ") .. " |")
	end
end

local function outcomes(ledger)
	local found, rows = ledger.outcomes, {}
	local asked = 0
	for _, count in pairs(ledger.last) do
		asked = asked + count
	end
	local function row(name, count)
		rows[#rows + 1] = { name, report.number(count or 0) }
	end
	row("calls and sends", asked)
	row("answered", found.answered)
	row("sent", found.sent)
	row("timed out, with a handler slower than the deadline", found.timeout)
	row("closed: a connection lost or closed in flight", found.closed)
	row("refused: not sent", found.refused)
	row("died with who asked", ledger:cut_count())
	for _, kind in ipairs { "lost", "repeated", "mismatched", "failed", "hung" } do
		row(kind, ledger.breaches[kind])
	end
	return rows
end

local function latencies(weather)
	local rows = {}
	for _, kind in ipairs { { "quiet", weather.quiet }, { "during faults", weather.rough } } do
		local latency = kind[2]
		rows[#rows + 1] = {
			kind[1],
			report.number(latency.count),
			milliseconds(latency:quantile(0.5)),
			milliseconds(latency:quantile(0.99)),
			milliseconds(latency.most),
		}
	end
	return rows
end

local function memories(first, last)
	local rows = {}
	for name, size in pairs(first) do
		rows[#rows + 1] = { name, megabytes(size), megabytes(last[name]) }
	end
	table.sort(rows, function(one, other)
		return one[1] < other[1]
	end)
	return rows
end

local function faults(weather)
	local rows = {}
	for _, fault in ipairs(kinds) do
		rows[#rows + 1] = { fault[1], report.number(weather.counts[fault[1]] or 0) }
	end
	table.sort(rows, function(one, other)
		return one[1] < other[1]
	end)
	return rows
end

--- Prints all of it.
---@param soak {title: string, stage: table, weather: table, first: table, last: table}
function report.show(soak)
	print("\n" .. soak.title)
	show({ "questions", "" }, outcomes(soak.stage.ledger))
	show({ "latency", "answers", "p50", "p99", "max" }, latencies(soak.weather))
	show({ "resident memory", "start", "end" }, memories(soak.first, soak.last))
	show({ "faults", "" }, faults(soak.weather))
	for _, text in ipairs(soak.stage.failures) do
		print("\nFailed: " .. text)
	end
	if #soak.stage.ledger.complaints > 0 then
		print("\n" .. soak.stage.ledger:verdict())
	end
end

return report
