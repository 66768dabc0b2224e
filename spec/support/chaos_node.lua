--- A node of the specs of dropped connections, in a process of its own that may be killed at any
--- moment: it carries out what it is asked, asks without pause, and keeps a book of both.

local silly = require "silly"
local cluster = require "silly.net.cluster"
local signal = require "silly.signal"
local task = require "silly.task"
local time = require "silly.time"
local asker = require "spec.support.asker"
local book = require "spec.support.book"
local plain = require "spec.support.plain"
local relisten = require "spec.support.relisten"

local chaos_node = {}

local CALL, SEND = 1, 2

--- One message in so many is a send.
local SEND_EVERY = 10

--- Milliseconds that a handler takes at most, so that a kill always finds calls in flight.
local HANDLING = 20

--- Milliseconds before the next question after one that failed.
local PAUSE = 10

--- Bodies are of up to so many bytes, so that a kill cuts frames in two.
local LARGEST = 3000

--- Asks one question after the other until told to stop.
local function ask(pages, whom, stopping)
	local count = 0
	while not stopping() do
		local peer = whom()
		if peer then
			count = count + 1
			local request = count % SEND_EVERY == 0 and asker.send or asker.call
			request(pages, peer, request == asker.send and SEND or CALL, ("x"):rep(math.random(LARGEST)))
		end
		if not peer or not peer.fd then
			time.sleep(PAUSE)
		end
	end
end

--- Runs a node until it is killed or, in order, sent SIGTERM.
---@param options {books: string, number: integer, listen: string?, dial: string?, callers: integer}
---  where its book is kept and which it is; the address to listen on, or the one to dial; how many
---  ask at once: over what it has dialled, or over the last connection that came in
function chaos_node.run(options)
	local pages = book.open(options.books, options.number)
	local stopping, peer = false, nil
	plain.serve {
		call = function(_, cmd, body)
			pages:executed(body)
			time.sleep(math.random(0, HANDLING))
			return cmd == CALL and body or nil
		end,
		accept = function(newcomer)
			peer = newcomer
		end,
	}
	signal("SIGTERM", function()
		stopping = true
		pages:finish()
		print("connections that came in: " .. cluster.stats().connections_in)
		silly.exit(0)
	end)
	task.fork(function()
		if options.listen then
			print("listening on " .. relisten(options.listen))
		else
			peer = cluster.connect(options.dial)
			print("dialled " .. options.dial)
		end
		for _ = 1, options.callers do
			task.fork(function()
				ask(pages, function()
					return peer
				end, function()
					return stopping
				end)
			end)
		end
	end)
end

return chaos_node
