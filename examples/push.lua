-- A server that speaks first: a connection that came in can be called and sent to like any other.
--
-- One process plays both parts; between two it is the same. The messages are plain strings.
--
-- Prints:
--   server: 127.0.0.1:<port> subscribes to weather
--   client: subscribed
--   client: news: sun at noon
--   client: news: rain at six
--   client: asked for its name
--   server: that was Ada

local cluster = require "silly.net.cluster"
local task = require "silly.task"

local SUBSCRIBE, NEWS, NAME, FINISHED = 1, 2, 3, 4

-- Where the server's clients called from. A peer is a plain table, the same one for as long as the
-- connection lives, and so can be a key.
local addresses = {}
local listener

-- The server's side of one client.
local function inform(peer)
	cluster.send(peer, NEWS, "sun at noon")
	cluster.send(peer, NEWS, "rain at six")
	-- A call works in this direction, too, and waits for the client's answer.
	print("server: that was " .. assert(cluster.call(peer, NAME, "")))
	cluster.send(peer, FINISHED, "")
end

local handlers = {
	[SUBSCRIBE] = function(peer, topic)
		print("server: " .. addresses[peer] .. " subscribes to " .. topic)
		-- In a task of its own, so that the answer below goes first.
		task.fork(inform, peer)
		return "subscribed"
	end,
	[NEWS] = function(_, text)
		print("client: news: " .. text)
	end,
	[NAME] = function()
		print("client: asked for its name")
		return "Ada"
	end,
	[FINISHED] = function(peer)
		cluster.close(peer)
		cluster.close(listener)
	end,
}

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body -- nil for no body: a handler that returns none answers nothing
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function(peer, cmd, body)
		return handlers[cmd](peer, body)
	end,
	accept = function(peer, addr)
		addresses[peer] = addr
	end,
	close = function(peer)
		addresses[peer] = nil -- a connection that came in never comes back
	end,
}

listener = assert(cluster.listen("127.0.0.1:0"))
task.fork(function()
	local server = cluster.connect(listener.addr)
	print("client: " .. assert(cluster.call(server, SUBSCRIBE, "weather")))
end)
