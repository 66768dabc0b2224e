--- What every node of the soak does: it carries out questions, notes them in its book, and takes
--- orders from the conductor.

local silly = require "silly"
local signal = require "silly.signal"
local time = require "silly.time"
local plain = require "spec.support.plain"

local node = {}

--- The generation of the wire that all of them speak; what is started by one gets it, too.
node.WIRE = tonumber(os.getenv("SOAK_WIRE") or 1)

--- Their TLS, if any: the files of spec/support/certificates.rs in a directory.
local directory = os.getenv("SOAK_CERTIFICATES")
node.TLS = directory and {
	cert = directory .. "/node.pem",
	key = directory .. "/node.key",
	ca = directory .. "/ca.pem",
} or nil

--- What a question wants.
node.ECHO, node.SLOW, node.BACK, node.SEND = 1, 2, 3, 4

--- An order: its body says which. No damaged frame turns into one by the change of a byte.
node.ORDER = 0x10001

--- Milliseconds: the deadline of prompt questions, that of slow ones, and how long their handler takes.
node.PATIENCE, node.SLOW_PATIENCE, node.SLOW_HANDLING = 5000, 200, 400

local handlers = {
	[node.ECHO] = function(_, body)
		return body
	end,
	[node.SLOW] = function(_, body)
		time.sleep(node.SLOW_HANDLING)
		return body
	end,
	[node.SEND] = function() end,
}

--- Serves.
---@param pages table the book of this process
---@param orders table<string, fun(): string> what the conductor may ask for
---@param ask_back fun(peer: table) asks whoever asks, which a BACK handler does before it answers
function node.serve(pages, orders, ask_back)
	local conductor
	orders.probe = function()
		return "here"
	end
	handlers[node.BACK] = function(peer, body)
		ask_back(peer)
		return body
	end
	plain.serve {
		call = function(peer, cmd, body)
			if cmd == node.ORDER and orders[body] then
				conductor = peer
				return orders[body]()
			end
			pages:executed(body)
			local handler = handlers[cmd]
			return handler and handler(peer, body)
		end,
		close = function(peer)
			if peer == conductor then
				silly.exit(1) -- nobody is there any more to end us
			end
		end,
		timeout = node.PATIENCE,
		wire = node.WIRE,
		tls = node.TLS,
	}
end

--- Ends in order when told to: `stop` sees to it that nothing more is asked; what was asked returns.
function node.end_by_signal(pages, stop)
	signal("SIGTERM", function()
		stop()
		pages:finish()
		silly.exit(0)
	end)
	-- Ctrl-C reaches every process of the terminal; it is the conductor's to end the others.
	signal("SIGINT", function() end)
end

return node
