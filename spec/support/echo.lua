--- A node that answers itself.

local cluster = require "silly.net.cluster"
local plain = require "spec.support.plain"

local echo = {}

--- Serves, listens and connects; must be called in a task.
---@param handler? fun(peer, cmd: integer, body: string): string?
function echo.open(handler)
	plain.serve {
		call = handler or function(_, _, body)
			return body
		end,
		timeout = 5000,
	}
	local listener = assert(cluster.listen("127.0.0.1:0"))
	local peer = cluster.connect(listener.addr, { shared = false })
	return {
		ask = function(body)
			return cluster.call(peer, 1, body)
		end,
		close = function()
			cluster.close(peer)
			cluster.close(listener)
		end,
	}
end

return echo
