// Displace what the caches hold: every element is read and written, so that no store can pass the caches by.

kernel void displace(global float4 *buffer)
{
    const size_t i = get_global_id(0);
    buffer[i] = 0.5f * buffer[i] + 1.0f;
}
