-- Plain TCP, for a protocol of your own: lines that are answered, and a block of known size.
--
-- One process plays both sides; between two it is the same.
--
-- Prints:
--   upper: HELLO
--   upper: GOOD BYE
--   block: 4 bytes, abcd
--   the other end: end of file
--   nobody there: Connection refused

local tcp = require "silly.net.tcp"
local task = require "silly.task"

-- Each connection has a task of its own, which may wait for the next line as long as it takes.
local function serve(conn)
	while true do
		local line = conn:read("\n", 5000)
		local size = line and tonumber(line:match "^block (%d+)\n$")
		if size then
			conn:write { "block: ", size .. " bytes, ", conn:read(size, 5000) or "", "\n" }
		elseif line and line ~= "quit\n" and line ~= "" then
			conn:write("upper: " .. line:upper())
		else
			break -- it says so, it has gone, or its time is up
		end
	end
	conn:close() -- what was written before is still sent
end

local listener = assert(tcp.listen { addr = "127.0.0.1:0", accept = serve })

task.fork(function()
	local conn = assert(tcp.connect(listener.addr))
	conn:write "hello\ngood bye\nblock 4\nabcdquit\n"
	for _ = 1, 3 do
		io.write((conn:read "\n"))
	end
	local _, why = conn:read "\n"
	print("the other end: " .. why)
	conn:close()
	listener:close()
	local _, refused = tcp.connect(listener.addr)
	print("nobody there: " .. refused)
end)
