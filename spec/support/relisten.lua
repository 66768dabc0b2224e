--- Listens on an address whose last owner was killed a moment ago, and may still be about to end.

local cluster = require "silly.net.cluster"
local time = require "silly.time"

--- Milliseconds between two attempts.
local PAUSE = 5

--- Must be called in a task. Port 0 is good for the first one.
---@return string addr the address really bound
return function(addr)
	local listener = cluster.listen(addr)
	while not listener do
		time.sleep(PAUSE)
		listener = cluster.listen(addr)
	end
	return listener.addr
end
