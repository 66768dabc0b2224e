-- One trace id crosses three processes, and is found again in the log of each.
--
-- The client (node 1) begins a trace and asks the front (node 2), which asks the stock (node 3).
-- Each process logs to a file of its own. An id is four numbers of 16 bits: the node where it
-- began, the second when, a count, and the node that passed it on last; all but the last of them
-- name the trace.
--
-- Prints:
--   the client got: your sword
--   client.log  0001<time>00010000 I buying a sword
--   front.log   0001<time>00010001 I somebody wants: sword
--   stock.log   0001<time>00010002 I taking it off the shelf: sword
--   1 line each, and all of one trace: true

local folder = arg[0]:match("^(.*)[/\\]") or "."
local first = 0
while arg[first - 1] do
	first = first - 1
end
-- However this script was started, the others are started the same way.
local start = table.concat(arg, " ", first, -1) .. " " .. folder

local temporary = os.tmpname()

--- Starts a process that logs to a file; its output can be read.
local function run(script, log, ...)
	local command = table.concat({ start .. "/" .. script, ... }, " ")
	return assert(io.popen(("%s 2>%s.%s"):format(command, temporary, log)))
end

local stock = run("node.lua", "stock", "3")
local front = run("node.lua", "front", "2", stock:read("*l"))
local client = run("client.lua", "client", "1", front:read("*l"))
print("the client got: " .. client:read("*l"))
for _, process in ipairs { client, front, stock } do
	process:close() -- waits until it has ended, and its log is whole
end

local trace, same, lines = nil, true, 0
for _, name in ipairs { "client", "front", "stock" } do
	local path = temporary .. "." .. name
	for line in io.lines(path) do
		local id, level, text = line:match("^%S+ %S+ (%x+) (%u) %S+ (.*)$")
		if id ~= ("0"):rep(16) then
			print(("%-11s %s %s %s"):format(name .. ".log", id, level, text))
			trace, lines = trace or id:sub(1, 12), lines + 1
			same = same and id:sub(1, 12) == trace
		end
	end
	os.remove(path)
end
os.remove(temporary)
print(("%d line each, and all of one trace: %s"):format(lines / 3, tostring(same)))
