--- What the commands that talk to a node share: bytes as they are, and the node's address.

local cluster = require "silly.net.cluster"
local options = require "silly.cli.options"
local peers = require "silly.internal.peers"

local client = {
	--- The options that all of them have.
	TIMEOUT = { default = 5000, least = 1, most = 24 * 3600 * 1000 },
	WIRE = { default = 1, least = 1, most = 2 },
	--- Commands are numbers of 32 bits.
	LAST_CMD = 2 ^ 32 - 1,
}

--- Serves, and makes a handle of the address in the command line. It connects when it is used.
---@param command table of silly.cli
---@param address string?
---@param given {timeout: integer, wire: integer} milliseconds for each call; the generation of the wire
---@return silly.net.cluster.peer
function client.open(command, address, given)
	if not address then
		options.misused(command, "which node? HOST:PORT is missing")
	end
	cluster.serve {
		marshal = function(_, cmd, body)
			return body and cmd, body
		end,
		unmarshal = function(_, _, data)
			return data
		end,
		call = function() end, -- what the node asks stays unanswered
		timeout = given.timeout,
		wire = given.wire,
	}
	local peer = {}
	local id, problem = peers.adopt(peer, address, { wire = given.wire }, false)
	if not id then
		options.misused(command, problem)
	end
	return peer
end

--- Why a call has no answer; after a timeout also where more is to be learnt, since this end knows nothing.
---@param why string
---@return string
function client.explain(why)
	if why ~= "timeout" then
		return why
	end
	return "timeout\nThe node's log has the error if the handler failed; that it returned nothing is there "
		.. "only at level debug"
end

--- Tells why nothing came of it.
---@return integer status
function client.failed(command, why)
	io.stdout:flush()
	io.stderr:write("silly ", command.name, ": ", why, "\n")
	return 1
end

return client
