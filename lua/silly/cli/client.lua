--- What the commands that talk to a node share: bytes as they are, and the node's address.

local cluster = require "silly.net.cluster"
local credentials = require "silly.internal.credentials"
local options = require "silly.cli.options"
local peers = require "silly.internal.peers"

local client = {
	--- Commands are numbers of 32 bits.
	LAST_CMD = 2 ^ 32 - 1,
	--- What their usage says of the options and of the address that all of them have.
	USAGE = [[
  --wire N        the generation of the wire that the node speaks, 1 or 2 (1)
  --ca FILE       with TLS, to a node whose certificate the CA in FILE has signed (without TLS)
  --cert FILE, --key FILE
                  the certificate to show it, if it wants one, and its key
  --server-name NAME
                  the name in the node's certificate (the host of the address)

HOST:PORT may be any address that cluster.connect takes, such as unix:/path or
srv:_name._tcp.domain.
]],
}

--- The options of all of them, and those of one.
---@param own table<string, table>
---@return table<string, table>
function client.options(own)
	own.timeout = { default = 5000, least = 1, most = 24 * 3600 * 1000 }
	own.wire = { default = 1, least = 1, most = 2 }
	own.ca, own.cert, own.key, own["server-name"] = {}, {}, {}, {}
	return own
end

--- The credentials that the options name, if any.
local function credentials_of(command, given)
	if not (given.ca or given.cert or given.key or given["server-name"]) then
		return nil
	end
	local held, problem = credentials.of {
		ca = given.ca,
		cert = given.cert,
		key = given.key,
		server_name = given["server-name"],
	}
	if not held then
		options.misused(command, (problem:gsub("^option 'tls': ", "")))
	end
	return held
end

--- Serves, and makes a handle of the address in the command line. It connects when it is used.
---@param command table of silly.cli
---@param address string?
---@param given table the values of the options
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
	local peer, terms = {}, { wire = given.wire, tls = credentials_of(command, given) }
	local id, problem = peers.adopt(peer, address, terms, false)
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
