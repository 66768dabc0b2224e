-- Which node a room is on: every gateway comes to the same answer from the room's name and the list of
-- nodes alone (rendezvous hashing). When a node dies its rooms, and no others, have another first node.

local placement = {}

-- Prime, and its square is still exact in a floating-point number.
local MODULUS = 67108859

local function hash(text)
	local value = 0
	for index = 1, #text do
		value = (value * value + text:byte(index) + 1) % MODULUS
	end
	return value
end

-- The nodes in the order in which they are to be tried for a room. Each has an `addr`.
function placement.order(room, nodes)
	local order, weight = {}, {}
	for index, node in ipairs(nodes) do
		order[index] = node
		weight[node] = hash(node.addr .. " " .. room)
	end
	table.sort(order, function(one, other)
		if weight[one] ~= weight[other] then
			return weight[one] > weight[other]
		end
		return one.addr < other.addr
	end)
	return order
end

return placement
