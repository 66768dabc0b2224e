--- Three fixed workloads must not take more instructions than is on record, as far as that can be told:
-- with the compiler and the interpreter that the record was made with.
--
--   tools/count-instructions lua5.4 > bench/instructions.txt     makes the record anew

local shell = require "spec.support.shell"

teardown(shell.clean)

--- So much more is noise: what an interpreter's hash seeds and the order of events make of it.
local TOLERANCE = 1.10

--- Lines of "name value"; a line that begins with "#" says what they were counted with.
local function parse(text)
	local counts, with = {}, text:match("#([^\n]*)")
	for name, count in text:gmatch("(%w+) (%d+)") do
		counts[name] = tonumber(count)
	end
	return counts, with
end

describe("the instructions of a fixed workload", function()
	it("are at most a tenth more than is on record", function()
		local file = assert(io.open(shell.root .. "/bench/instructions.txt"))
		local recorded, with = parse(file:read("*a"))
		file:close()
		local result = shell.command(("'%s/tools/count-instructions' '%s'"):format(shell.root, shell.lua), nil, nil, 240)
		assert.equal(0, result.status, result.err)
		local counted, now = parse(result.out)
		if now ~= with then
			pending(("the record was made with%s, this is%s"):format(with, now))
		end
		for _, name in ipairs { "ping", "crowd", "zproto" } do
			local most = recorded[name] * TOLERANCE
			assert(counted[name] <= most, ("%s: %d instructions, %d on record"):format(name, counted[name], recorded[name]))
		end
	end, 240)
end)
