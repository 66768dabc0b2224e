--- A server of the soak: answers, asks the other servers and those who ask it, and runs out of
--- descriptors when ordered to.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local asker = require "spec.support.asker"
local book = require "spec.support.book"
local relisten = require "spec.support.relisten"
local node = require "soak.node"

local server = {}

--- Milliseconds between two questions to each of the others.
local PAUSE = 20

--- Milliseconds without descriptors.
local EXHAUSTED = 300

--- Takes every descriptor that is left, for a while.
local function exhaust()
	local files = {}
	repeat
		local file = io.open("/dev/null")
		files[#files + 1] = file
	until not file
	time.sleep(EXHAUSTED)
	for _, file in ipairs(files) do
		file:close()
	end
	return ("%d descriptors taken"):format(#files)
end

---@param options {books: string, number: integer, addr: string, others: string[]} where its book is
---  kept and which it is; where to listen; the servers to ask
function server.run(options)
	local pages = book.open(options.books, options.number)
	local stopping = false
	node.serve(pages, { exhaust = exhaust }, function(peer)
		asker.call(pages, peer, node.ECHO, "back")
	end)
	node.end_by_signal(pages, function()
		stopping = true
	end)
	task.fork(function()
		print("listening on " .. relisten(options.addr))
		for _, addr in ipairs(options.others) do
			task.fork(function()
				local peer = cluster.connect(addr)
				while not stopping do
					asker.call(pages, peer, node.BACK, "neighbour")
					time.sleep(PAUSE)
				end
			end)
		end
	end)
end

return server
