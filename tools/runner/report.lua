--- What the runner prints: a character for each test, how many there were, and what was wrong, as
--- busted's plainTerminal does.

local report = {}

local MARKS = { success = "+", failure = "-", error = "*", pending = "." }
local TITLES = { failure = "Failure", error = "Error", pending = "Pending" }
--- In the order of the summary, with what one of them is called.
local KINDS = {
	{ "success", "success", "successes" }, { "failure", "failure", "failures" },
	{ "error", "error", "errors" }, { "pending", "pending", "pending" },
}

local counts = { success = 0, failure = 0, error = 0, pending = 0 }
local details = {}
local began = os.time()

--- Notes what became of a test, or an error beside the tests.
---@param kind string "success", "failure", "error" or "pending"
---@param name string all the names that lead there
---@param where string its file and line
---@param text string? what it said
function report.note(kind, name, where, text)
	counts[kind] = counts[kind] + 1
	io.stdout:write(MARKS[kind])
	io.stdout:flush()
	if TITLES[kind] then
		details[#details + 1] = ("\n%s -> %s\n%s\n%s\n"):format(TITLES[kind], where, name, text or "")
	end
end

--- Prints the summary and the details; the status to exit with.
---@return integer
function report.finish()
	local parts = {}
	for index, kind in ipairs(KINDS) do
		local count = counts[kind[1]]
		parts[index] = ("%d %s"):format(count, count == 1 and kind[2] or kind[3])
	end
	io.stdout:write("\n", table.concat(parts, " / "), " : ", os.time() - began, " seconds\n",
		table.concat(details))
	return counts.failure + counts.error == 0 and 0 or 1
end

return report
